using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Bondline.Protocol;

namespace Bondline.Benchmarks;

/// <summary>One direction, as fast as it goes.</summary>
internal static class Bulk
{
    private const int Block = 128 << 10;

    public static async Task TlsAsync(int mebibytes)
    {
        await using var relay = new LoopbackRelay();
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var near = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await near.ConnectAsync(listener.LocalEndPoint!);
        using var far = await listener.AcceptAsync();
        await using var client = new SslStream(new NetworkStream(near));
        await using var server = new SslStream(new NetworkStream(far));
        await Task.WhenAll(
            server.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = relay.Identity, EnabledSslProtocols = SslProtocols.Tls13 }),
            client.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = "bench",
                EnabledSslProtocols = SslProtocols.Tls13,
                RemoteCertificateValidationCallback = (_, _, _, _) => true, // our own end of a loopback socket
            }));
        await MeasureAsync("SslStream", client, server, mebibytes);
    }

    public static async Task BondAsync(int mebibytes)
    {
        await using var relay = new LoopbackRelay();
        var (agent, host) = await relay.OpenAsync();
        var near = await agent.OpenStreamAsync(new StreamHeader { Kind = StreamKind.Tcp });
        var far = (await host.AcceptStreamAsync())!;
        await MeasureAsync("bond, warm-up", near, far, mebibytes / 4);
        await MeasureAsync("bond up", near, far, mebibytes);
        await MeasureAsync("bond down", far, near, mebibytes);
        await agent.CloseAsync(ProtocolError.None, "");
    }

    private static async Task MeasureAsync(string what, Stream from, Stream to, int mebibytes)
    {
        var total = (long)mebibytes << 20;
        var allocated = GC.GetTotalAllocatedBytes();
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Task.Run(WriteAsync), Task.Run(ReadAsync));
        var seconds = watch.Elapsed.TotalSeconds;
        Console.WriteLine(
            $"{what}: {total / 1e6 / seconds:0} MB/s, {(Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalSeconds / seconds:0.00} cores, "
            + $"{(GC.GetTotalAllocatedBytes() - allocated) / (total / 16384.0):0.0} bytes allocated per 16 KiB");

        async Task WriteAsync()
        {
            var block = new byte[Block];
            for (var left = total; left > 0; left -= Block) await from.WriteAsync(block);
        }

        async Task ReadAsync()
        {
            var block = new byte[Block];
            for (var left = total; left > 0;) left -= await to.ReadAsync(block.AsMemory(0, (int)Math.Min(left, Block)));
        }
    }
}
