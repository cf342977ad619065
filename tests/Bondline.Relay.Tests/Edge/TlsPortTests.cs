using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>The TLS port of a running relay, as strangers and visitors find it.</summary>
public sealed class TlsPortTests : IAsyncLifetime
{
    private readonly RelayServer _relay = new(TestRelay.Options with { IsEmbedded = true, TcpPorts = PortRange.Ephemeral });

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await _relay.StartAsync(Stop);

    public ValueTask DisposeAsync() => _relay.DisposeAsync();

    [Fact]
    public async Task A_visitor_is_served_over_tls_with_the_relays_own_certificate()
    {
        using var client = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate!.Subject == "CN=Bondline relay" } });
        using var response = await client.GetAsync($"https://{_relay.Listening.Https}/", Stop);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public async Task A_visitors_hello_may_come_in_pieces(int pieceLength)
    {
        using var socket = await ConnectAsync();
        await using var tls = new SslStream(new PieceStream(new NetworkStream(socket), pieceLength));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost", RemoteCertificateValidationCallback = (_, _, _, _) => true }, Stop);
        Assert.Equal(SslProtocols.Tls13, tls.SslProtocol);
        await tls.WriteAsync("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"u8.ToArray(), Stop);
        Assert.StartsWith("HTTP/1.1 404", await ReadAllAsync(tls));
    }

    [Fact]
    public async Task Plain_http_is_told_where_to_go()
    {
        using var socket = await ConnectAsync();
        await using var stream = new NetworkStream(socket);
        await socket.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: "u8.ToArray(), Stop);
        await socket.SendAsync(new byte[50_000], Stop);
        socket.Shutdown(SocketShutdown.Send);
        var answer = await ReadAllAsync(stream);
        Assert.StartsWith("HTTP/1.1 400", answer);
        Assert.Contains($"port {_relay.Listening.Http.Port}", answer);
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    [InlineData("\u0016\u0003\u0001\0\u0001\u0002")]
    [InlineData("\0\0\0\0")]
    public async Task Anything_else_is_closed_at_once(string bytes)
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(Encoding.Latin1.GetBytes(bytes), Stop);
        await AssertClosedAsync(socket);
    }

    [Fact]
    public async Task An_oversized_hello_is_closed_before_it_is_whole()
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(FirstBytesTests.Hello(alpn: ["bondline/1"], padding: FirstBytes.MaxLength).AsMemory(0, 100), Stop);
        await AssertClosedAsync(socket);
    }

    [Fact]
    public async Task Random_bytes_disturb_nobody()
    {
        var random = new Random(7);
        for (var i = 0; i < 200; i++)
        {
            using var socket = await ConnectAsync();
            var bytes = new byte[random.Next(1, 400)];
            random.NextBytes(bytes);
            if (i % 2 == 0) bytes[0] = 22; // a TLS record, at least
            await socket.SendAsync(bytes, Stop);
        }
        await A_visitor_is_served_over_tls_with_the_relays_own_certificate();
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(_relay.Listening.Https, Stop);
        return socket;
    }

    private static async Task AssertClosedAsync(Socket socket)
    {
        try
        {
            Assert.Equal(0, await socket.ReceiveAsync(new byte[16], Stop));
        }
        catch (SocketException error)
        {
            Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
        }
    }

    private static async Task<string> ReadAllAsync(Stream stream) => await new StreamReader(stream).ReadToEndAsync(Stop);

    /// <summary>Writes in pieces, each a packet of its own.</summary>
    private sealed class PieceStream(Stream inner, int pieceLength) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => inner.ReadAsync(buffer, cancellationToken);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            for (var start = 0; start < buffer.Length; start += pieceLength)
            {
                await inner.WriteAsync(buffer.Slice(start, Math.Min(pieceLength, buffer.Length - start)), cancellationToken);
                await Task.Yield();
            }
        }

        public override void Flush() { }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
