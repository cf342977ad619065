using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Bondline.Protocol;
using static Bondline.EndToEnd.HostilePeer;

namespace Bondline.EndToEnd;

/// <summary>Bad input at the real relay: one clear error for whoever sent it, nothing for anybody else, bounded memory.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "normal")]
public sealed class HostileTests(AttackedRelay relay) : IClassFixture<AttackedRelay>
{
    private const ulong Largest = (1UL << 62) - 1;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("wrong", "auth-refused")]
    [InlineData("unknown", "auth-refused")]
    [InlineData("revoked", "auth-expired")]
    [InlineData("pin", "pin-mismatch")]
    public async Task An_agent_that_may_not_join_says_why_once_and_ends(string what, string code)
    {
        var join = await relay.CreateTokenAsync($"cli-{what}");
        Assert.True(JoinUrl.TryParse(join, out var url, out _));
        switch (what)
        {
            case "wrong":
                url = url with { Token = url.Token with { Secret = new(RandomNumberGenerator.GetBytes(32)) } };
                break;
            case "unknown":
                url = url with { Token = new("nobody", url.Token.Secret) };
                break;
            case "pin":
                url = url with { Pins = [KeyPin.FromHash(RandomNumberGenerator.GetBytes(32))] };
                break;
            default:
                await relay.RevokeAsync($"cli-{what}");
                break;
        }
        await using var agent = relay.StartAgent(url.Format(), 9);
        var ended = await agent.WaitAsync(new CancellationTokenSource(Patience).Token);
        Assert.NotEqual(0, ended.ExitCode);
        Assert.Single(ended.Output.Split('\n'), line => line.Contains($"\"code\":\"{code}\"", StringComparison.Ordinal));
        await relay.AssertUndisturbedAsync();
    }

    [Theory]
    [InlineData("a version nobody speaks", ProtocolError.VersionUnsupported)]
    [InlineData("an oversized frame", ProtocolError.FrameTooLarge)]
    [InlineData("skipped frames without end", ProtocolError.FrameTooLarge)]
    [InlineData("two hellos", ProtocolError.FrameOutOfState)]
    [InlineData("a join before the hello", ProtocolError.FrameOutOfState)]
    [InlineData("a stream before the answer", ProtocolError.FrameOutOfState)]
    [InlineData("an open without a token", ProtocolError.FrameMalformed)]
    [InlineData("an open cut off", ProtocolError.FrameMalformed)]
    [InlineData("a hello of random bytes", ProtocolError.FrameMalformed)]
    public async Task What_a_stranger_does_wrong_is_refused_with_its_code(string what, ProtocolError code)
    {
        await using var peer = await ConnectAsync(relay.TlsPort);
        await peer.SendAsync(what switch
        {
            "a version nobody speaks" => [Hello(7, 9)],
            "an oversized frame" => [Number(0), Number(5000)],
            "skipped frames without end" => [.. Enumerable.Repeat(Frame(1, new byte[4000]), 5)],
            "two hellos" => [Hello(), Hello()],
            "a join before the hello" => [Frame(0x06, Entry(0, new byte[16]), Entry(2, Number(1)), Entry(6, new byte[32]))],
            "a stream before the answer" => [Hello(), Frame(0x10, Number(0), Number(0), new byte[8])],
            "an open without a token" => [Hello(), Frame(0x02, Entry(2, new byte[16]))],
            "an open cut off" => [Hello(), Frame(0x02, Number(0), Number(200), new byte[16])],
            _ => [Frame(0x00, [0xff, 0x81, 0x03, 0x99])],
        });
        Assert.Equal(code, await peer.CloseCodeAsync());
        await relay.AssertUndisturbedAsync();
    }

    [Theory]
    [InlineData("forged", ProtocolError.JoinProof)]
    [InlineData("replayed", ProtocolError.JoinProof)]
    [InlineData("to another token's bond", ProtocolError.JoinProof)]
    [InlineData("to no bond", ProtocolError.BondUnknown)]
    [InlineData("with a used id", ProtocolError.SubflowIdReused)]
    [InlineData("beyond the limit", ProtocolError.TooManySubflows)]
    public async Task A_join_that_is_not_right_is_refused_and_the_bonds_go_on(string what, ProtocolError code)
    {
        await using var mine = await ConnectAsync(relay.TlsPort);
        await using var others = await ConnectAsync(relay.TlsPort);
        var bond = await mine.OpenAsync(await relay.TokenAsync($"mine-{code}-{what.Length}"));
        var other = await others.OpenAsync(await relay.TokenAsync($"other-{code}-{what.Length}"));
        var joined = new List<HostilePeer>();
        await using var peer = await ConnectAsync(relay.TlsPort);
        switch (what)
        {
            case "forged":
                await AssertRefusedAsync(peer.JoinAsync(bond.BondId, new(RandomNumberGenerator.GetBytes(32)), 1), code);
                break;
            case "to another token's bond":
                await AssertRefusedAsync(peer.JoinAsync(other.BondId, bond.BondSecret, 1), code);
                break;
            case "to no bond":
                await AssertRefusedAsync(peer.JoinAsync(new BondId(1), bond.BondSecret, 1), code);
                break;
            case "with a used id":
                await AssertRefusedAsync(peer.JoinAsync(bond.BondId, bond.BondSecret, 0), code);
                break;
            case "replayed":
                joined.Add(await ConnectAsync(relay.TlsPort));
                await joined[0].JoinAsync(bond.BondId, bond.BondSecret, 1);
                await peer.SendAsync([.. joined[0].Sent]);
                Assert.Equal(code, await peer.CloseCodeAsync());
                break;
            default:
                for (ulong id = 1; id < 16; id++)
                {
                    joined.Add(await ConnectAsync(relay.TlsPort));
                    await joined[^1].JoinAsync(bond.BondId, bond.BondSecret, id);
                }
                await AssertRefusedAsync(peer.JoinAsync(bond.BondId, bond.BondSecret, 16), code);
                break;
        }
        foreach (var subflow in joined) await subflow.AssertServedAsync();
        await mine.AssertServedAsync();
        await others.AssertServedAsync();
        await relay.AssertUndisturbedAsync();
        foreach (var subflow in joined) await subflow.DisposeAsync();
    }

    [Theory]
    [InlineData("an oversized frame", ProtocolError.FrameTooLarge)]
    [InlineData("a frame nobody knows", ProtocolError.FrameUnknown)]
    [InlineData("a hello", ProtocolError.FrameOutOfState)]
    [InlineData("a body cut off", ProtocolError.FrameMalformed)]
    [InlineData("bytes behind the last field", ProtocolError.FrameMalformed)]
    [InlineData("an empty stream frame", ProtocolError.FrameMalformed)]
    [InlineData("an ack without end", ProtocolError.FrameMalformed)]
    [InlineData("an ack beyond what was sent", ProtocolError.AckBeyondSent)]
    [InlineData("a stream that the relay never opened", ProtocolError.FrameOutOfState)]
    [InlineData("more streams than allowed", ProtocolError.StreamLimit)]
    [InlineData("an offset that overflows", ProtocolError.FlowControl)]
    [InlineData("more than a stream's window", ProtocolError.FlowControl)]
    [InlineData("more streams than an agent has", ProtocolError.StreamLimit)]
    [InlineData("bytes behind the end", ProtocolError.FinalSize)]
    [InlineData("another final size", ProtocolError.FinalSize)]
    public async Task What_an_agent_does_wrong_ends_its_bond_with_its_code(string what, ProtocolError code)
    {
        var token = await relay.TokenAsync($"bond-{what.GetHashCode(StringComparison.Ordinal):x}");
        await using var beside = await ConnectAsync(relay.TlsPort);
        await beside.OpenAsync(token); // another bond of the same token
        await using var peer = await ConnectAsync(relay.TlsPort);
        await peer.OpenAsync(token);
        await peer.SendAsync(what switch
        {
            "an oversized frame" => [Number(0x10), Number(16_384)],
            "a frame nobody knows" => [Frame(0x40)],
            "a hello" => [Hello()],
            "a body cut off" => [Frame(0x14, Number(0))],
            "bytes behind the last field" => [Frame(0x14, Number(0), Number(1), Number(2))],
            "an empty stream frame" => [Frame(0x10, Number(0), Number(0))],
            "an ack without end" => [Frame(0x12, Number(2000))],
            "an ack beyond what was sent" => [Frame(0x12, Number(1), Number(0), Number(Largest))],
            "a stream that the relay never opened" => [Frame(0x10, Number(1), Number(0), new byte[8])],
            "more streams than allowed" => [Frame(0x10, Number(Largest - 1), Number(0), new byte[8])],
            "an offset that overflows" => [Frame(0x10, Number(0), Number(Largest - 3), new byte[8])],
            "more than a stream's window" => [Frame(0x10, Number(0), Number(65_536), new byte[8])],
            "more streams than an agent has" => [.. Enumerable.Range(0, 129).Select(stream => Frame(0x10, Number(2 * (ulong)stream), Number(1), new byte[1]))],
            "bytes behind the end" => [Frame(0x24, Number(0), Number(8), new byte[8]), Frame(0x10, Number(0), Number(100), new byte[8])],
            _ => [Frame(0x24, Number(0), Number(8), new byte[8]), Frame(0x1a, Number(0), Number(1), Number(99))],
        });
        Assert.Equal(code, await peer.CloseCodeAsync());
        await beside.AssertServedAsync();
        await relay.AssertUndisturbedAsync();
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: relay\r\n\r\n", "HTTP/1.1 400")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n", "")]
    [InlineData("\u0016\u0003\u0001\u00ff\u00ffgarbage", "")]
    public async Task What_is_no_tls_is_answered_in_its_own_words_or_closed_at_once(string said, string answer)
    {
        using var socket = await ConnectPlainAsync(IPAddress.Loopback);
        await socket.SendAsync(Encoding.Latin1.GetBytes(said));
        socket.Shutdown(SocketShutdown.Send);
        var heard = await ReadToEndAsync(socket);
        Assert.Equal(answer, heard[..Math.Min(heard.Length, Math.Max(answer.Length, 1))]); // of no answer there is not even one byte
        await relay.AssertUndisturbedAsync();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(6)]
    public async Task What_follows_the_end_of_a_connection_keeps_nobody_busy(int records)
    {
        await using var peer = await ConnectAsync(relay.TlsPort);
        await peer.OpenAsync(await relay.TokenAsync($"behind-the-end-{records}"));
        await peer.SendBehindTheEndAsync([.. Enumerable.Repeat(Frame(0x1e, Number(1), new byte[8168]), 2 * records).SelectMany(ping => ping)], new byte[300_000]);
        await peer.WaitForEndAsync();
        await relay.AssertUndisturbedAsync();
    }

    [Fact]
    public async Task Ten_thousand_half_open_connections_cost_little_and_the_next_agent_is_served()
    {
        const int count = 10_000, atOnce = 200;
        var hello = await ClientHelloAsync();
        var sockets = new List<Socket>();
        long most = 0;
        try
        {
            for (var begun = 0; begun < count; begun += atOnce)
            {
                sockets.AddRange(await Task.WhenAll(Enumerable.Range(begun, atOnce).Select(OpenHalfAsync)));
                most = Math.Max(most, relay.ResidentBytes());
            }
            TestContext.Current.TestOutputHelper?.WriteLine($"resident with {count} half-open connections: {most >> 20} MB at most");
            Assert.True(most < 200L << 20, $"The relay took {most >> 20} MB.");
            await relay.AssertUndisturbedAsync();
            await using (var during = await ConnectAsync(relay.TlsPort))
            {
                await during.OpenAsync(await relay.TokenAsync("meanwhile"));
                await during.AssertServedAsync();
            }

            // None stays for long, whether it said nothing, half a hello or all of it.
            foreach (var socket in sockets.TakeLast(3)) AssertHalfHandshake(await ReadToEndAsync(socket));
            await relay.AssertUndisturbedAsync();
        }
        finally
        {
            foreach (var socket in sockets) socket.Dispose();
        }
        await using var peer = await ConnectAsync(relay.TlsPort);
        await peer.OpenAsync(await relay.TokenAsync("afterwards"));
        await peer.AssertServedAsync();

        async Task<Socket> OpenHalfAsync(int i)
        {
            var socket = await ConnectPlainAsync(new IPAddress([127, 200, (byte)(i / 50), (byte)(1 + i % 50)])); // 200 networks
            var said = (i % 3) switch { 0 => ReadOnlyMemory<byte>.Empty, 1 => hello.AsMemory(0, hello.Length / 2), _ => hello };
            try
            {
                if (!said.IsEmpty) await socket.SendAsync(said);
            }
            catch (SocketException)
            {
                // turned away already: there were too many
            }
            return socket;
        }

        // The relay's half of a TLS handshake is an answer: whole records from ServerHello to Finished. Anything after it would not be.
        static void AssertHalfHandshake(string read)
        {
            var types = "";
            for (var at = 0; at < read.Length; at += 5 + (read[at + 3] << 8 | read[at + 4])) types += $"{(int)read[at]} ";
            Assert.Matches("^(22 (20 )?(23 ){1,5})?$", types);
            Assert.InRange(read.Length, 0, 4096);
        }
    }

    private static async Task AssertRefusedAsync(Task join, ProtocolError code) => Assert.Equal(code, (await Assert.ThrowsAsync<ProtocolException>(() => join)).Error);

    private async Task<Socket> ConnectPlainAsync(IPAddress from)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Bind(new IPEndPoint(from, 0));
        await socket.ConnectAsync(relay.TlsPort);
        return socket;
    }

    /// <summary>All until the relay closes, which it has to do in time, with an end or a reset.</summary>
    private static async Task<string> ReadToEndAsync(Socket socket)
    {
        var text = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer).WaitAsync(Patience) is > 0 and var read) text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
        catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
        {
            // closed all the same
        }
        return text.ToString();
    }
}
