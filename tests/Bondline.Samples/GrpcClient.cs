using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;

namespace Bondline.Samples;

/// <summary>Calls every method of <see cref="GrpcSample"/>.</summary>
internal static class GrpcClient
{
    private static readonly int[] Sizes = [0, 1, 16_384, 1_000_000];

    /// <param name="url">Where it calls.</param>
    /// <param name="relay">The address that host is at, and the file of the root that its certificate must have; null: as the system says.</param>
    /// <returns>What came back, a line for each call.</returns>
    public static async Task<IReadOnlyList<string>> RunAsync(Uri url, (IPAddress Address, string Root)? relay)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false };
        if (relay is var (address, root)) Redirect(handler, address, root);
        using var channel = GrpcChannel.ForAddress(url, new() { HttpHandler = handler, MaxReceiveMessageSize = null });
        var calls = channel.CreateCallInvoker();
        var seen = new List<string>();
        foreach (var size in Sizes)
        {
            var message = new byte[size];
            new Noise((ulong)size).Fill(message);
            await EchoAsync(calls, message, seen);
            await JoinAsync(calls, message, seen);
            await TalkAsync(calls, message, seen);
        }
        await RepeatAsync(calls, seen);
        await RefuseAsync(calls, seen);
        return seen;
    }

    private static void Redirect(SocketsHttpHandler handler, IPAddress address, string root)
    {
        handler.ConnectCallback = async (context, stop) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(address, context.DnsEndPoint.Port, stop);
            return new NetworkStream(socket, ownsSocket: true);
        };
        handler.SslOptions = new SslClientAuthenticationOptions
        {
            CertificateChainPolicy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, CustomTrustStore = { X509CertificateLoader.LoadCertificateFromFile(root) }, RevocationMode = X509RevocationMode.NoCheck },
        };
    }

    private static async Task EchoAsync(CallInvoker calls, byte[] message, List<string> seen)
    {
        using var call = calls.AsyncUnaryCall(GrpcSample.EchoMethod, null, default, message);
        var answer = await call;
        seen.Add($"unary: {Describe(answer)}, status {call.GetStatus().StatusCode}, trailer {call.GetTrailers().GetValue("length")}");
    }

    private static async Task JoinAsync(CallInvoker calls, byte[] message, List<string> seen)
    {
        using var call = calls.AsyncClientStreamingCall(GrpcSample.JoinMethod, null, default);
        for (var i = 0; i < 3; i++) await call.RequestStream.WriteAsync(message);
        await call.RequestStream.CompleteAsync();
        seen.Add($"client streaming: {Describe(await call)}");
    }

    /// <summary>Each message is sent when the answer to the last one is there.</summary>
    private static async Task TalkAsync(CallInvoker calls, byte[] message, List<string> seen)
    {
        using var call = calls.AsyncDuplexStreamingCall(GrpcSample.TalkMethod, null, default);
        for (var i = 0; i < 3; i++)
        {
            await call.RequestStream.WriteAsync(message);
            if (await call.ResponseStream.MoveNext()) seen.Add($"both streaming: {Describe(call.ResponseStream.Current)}");
        }
        await call.RequestStream.CompleteAsync();
        seen.Add($"both streaming: ended {!await call.ResponseStream.MoveNext()}");
    }

    private static async Task RepeatAsync(CallInvoker calls, List<string> seen)
    {
        using var call = calls.AsyncServerStreamingCall(GrpcSample.RepeatMethod, null, default, new byte[10_000]);
        var count = 0;
        await foreach (var message in call.ResponseStream.ReadAllAsync()) count += message.Length;
        seen.Add($"server streaming: {count}");
    }

    private static async Task RefuseAsync(CallInvoker calls, List<string> seen)
    {
        try
        {
            using var call = calls.AsyncUnaryCall(GrpcSample.RefuseMethod, null, default, [0, 255, 1]);
            await call;
        }
        catch (RpcException refusal)
        {
            seen.Add($"refused: {refusal.Status.StatusCode} \"{refusal.Status.Detail}\" {refusal.Trailers.GetValue("reason")} {Convert.ToHexStringLower(refusal.Trailers.GetValueBytes("reason-bin") ?? [])}");
        }
    }

    private static string Describe(byte[] message) => $"{message.Length} bytes, {Convert.ToHexStringLower(SHA256.HashData(message))}";
}
