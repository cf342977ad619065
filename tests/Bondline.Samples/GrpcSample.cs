using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Bondline.Samples;

/// <summary>A gRPC service with a method of each kind. Messages are plain bytes, so that no .proto file is needed.</summary>
/// <remarks>The server finds virtual methods only.</remarks>
[BindServiceMethod(typeof(GrpcSample), nameof(Bind))]
internal class GrpcSample
{
    public const int StreamedMessages = 50;

    private const string Name = "bondline.samples.Bytes";

    private static readonly Marshaller<byte[]> Plain = Marshallers.Create(bytes => bytes, bytes => bytes);

    public static Method<byte[], byte[]> EchoMethod { get; } = new(MethodType.Unary, Name, nameof(Echo), Plain, Plain);

    public static Method<byte[], byte[]> RepeatMethod { get; } = new(MethodType.ServerStreaming, Name, nameof(Repeat), Plain, Plain);

    public static Method<byte[], byte[]> JoinMethod { get; } = new(MethodType.ClientStreaming, Name, nameof(Join), Plain, Plain);

    public static Method<byte[], byte[]> TalkMethod { get; } = new(MethodType.DuplexStreaming, Name, nameof(Talk), Plain, Plain);

    public static Method<byte[], byte[]> RefuseMethod { get; } = new(MethodType.Unary, Name, nameof(Refuse), Plain, Plain);

    /// <summary>Serves it over HTTP/2 without TLS.</summary>
    public static async Task ServeAsync(int port)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = grpc.MaxSendMessageSize = null);
        await using var app = builder.Build();
        app.MapGrpcService<GrpcSample>();
        await app.StartAsync();
        Console.WriteLine("listening");
        await ((IHost)app).WaitForShutdownAsync();
    }

    /// <summary>Found by name, through the attribute; <paramref name="service"/> is null when only the methods are asked for.</summary>
    public static void Bind(ServiceBinderBase binder, GrpcSample? service)
    {
        binder.AddMethod(EchoMethod, service is null ? null! : new UnaryServerMethod<byte[], byte[]>(service.Echo));
        binder.AddMethod(RepeatMethod, service is null ? null! : new ServerStreamingServerMethod<byte[], byte[]>(service.Repeat));
        binder.AddMethod(JoinMethod, service is null ? null! : new ClientStreamingServerMethod<byte[], byte[]>(service.Join));
        binder.AddMethod(TalkMethod, service is null ? null! : new DuplexStreamingServerMethod<byte[], byte[]>(service.Talk));
        binder.AddMethod(RefuseMethod, service is null ? null! : new UnaryServerMethod<byte[], byte[]>(service.Refuse));
    }

    public virtual Task<byte[]> Echo(byte[] request, ServerCallContext call)
    {
        call.ResponseTrailers.Add("length", $"{request.Length}");
        return Task.FromResult(request);
    }

    public virtual async Task Repeat(byte[] request, IServerStreamWriter<byte[]> answers, ServerCallContext call)
    {
        for (var i = 0; i < StreamedMessages; i++) await answers.WriteAsync(request, call.CancellationToken);
    }

    public virtual async Task<byte[]> Join(IAsyncStreamReader<byte[]> requests, ServerCallContext call)
    {
        using var all = new MemoryStream();
        await foreach (var request in requests.ReadAllAsync(call.CancellationToken)) all.Write(request);
        return all.ToArray();
    }

    public virtual async Task Talk(IAsyncStreamReader<byte[]> requests, IServerStreamWriter<byte[]> answers, ServerCallContext call)
    {
        await foreach (var request in requests.ReadAllAsync(call.CancellationToken)) await answers.WriteAsync(request, call.CancellationToken);
    }

    public virtual Task<byte[]> Refuse(byte[] request, ServerCallContext call) =>
        throw new RpcException(new(StatusCode.FailedPrecondition, "not today: ä, %"), new Metadata { { "reason", "it is a test" }, { "reason-bin", request } });
}
