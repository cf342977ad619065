using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>A relay whose HTTP tunnels lead to a local service written by hand: every byte that reaches it is kept.</summary>
internal sealed class VisitedEdge : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly ConcurrentDictionary<ulong, StringBuilder> _received = [];

    private VisitedEdge(RelayServer relay) => Relay = relay;

    public RelayServer Relay { get; }

    /// <summary>Ends with the test; a test may end it earlier.</summary>
    public TestAgent Agent { get; private set; } = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <param name="names">Under lab.test; tunnels 1, 2, 3 and so on.</param>
    /// <param name="answer">Called with each request head, which has been read; may read on.</param>
    /// <param name="limits">Default null: the relay's own.</param>
    /// <param name="via">Where the agent dials, given the relay's port; null for the relay itself.</param>
    public static async Task<VisitedEdge> StartAsync(string[] names, Func<BondStream, string, Task> answer, HttpLimits? limits = null, Func<int, int>? via = null)
    {
        var edge = new VisitedEdge(new(TestRelay.Options with { IsEmbedded = true, Domain = "lab.test", Http = limits ?? new() }));
        await edge.Relay.StartAsync(Stop);
        var port = edge.Relay.Listening.Https.Port;
        var join = edge.Relay.CreateToken("test", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{via?.Invoke(port) ?? port}")); // nobody resolves the domain
        edge.Agent = new(join, stream => edge.ServeAsync(stream, answer), [.. names.Select((name, i) => new RegisterTunnel((ulong)i + 1, TunnelKind.Http, name, Local: "3000"))]);
        foreach (var _ in names) await edge.Agent.NextAsync<TunnelReady>();
        return edge;
    }

    /// <summary>What has come to the service of a tunnel, over all its connections.</summary>
    public string Received(ulong tunnel = 1)
    {
        if (!_received.TryGetValue(tunnel, out var text)) return "";
        lock (text) return text.ToString();
    }

    public async Task<Stream> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(Relay.Listening.Http, Stop);
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>Sends bytes (Latin-1) over a connection of their own; all that comes back until the relay closes it.</summary>
    public async Task<string> AskAsync(string request)
    {
        await using var stream = await ConnectAsync();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), Stop);
        return await ReadToEndAsync(stream);
    }

    /// <summary>All that comes until the end; a reset is an end too.</summary>
    public static async Task<string> ReadToEndAsync(Stream stream)
    {
        var text = new StringBuilder();
        var buffer = new byte[16 << 10];
        try
        {
            while (await stream.ReadAsync(buffer, Stop).AsTask().WaitAsync(Patience, Stop) is var read and > 0) text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
        catch (IOException)
        {
        }
        return text.ToString();
    }

    /// <summary>The next head, its empty line included; what there is of it where the connection ends.</summary>
    public static async Task<string> ReadHeadAsync(Stream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one, Stop) > 0) head.Append((char)one[0]);
        return head.ToString();
    }

    /// <summary>A client that finds the relay whatever host it asks for.</summary>
    public HttpClient Client(Version version) => new(new SocketsHttpHandler { ConnectCallback = async (_, _) => await ConnectAsync() })
    {
        BaseAddress = new("http://shop.lab.test/"),
        DefaultRequestVersion = version,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = Patience,
    };

    public static Func<BondStream, string, Task> Answer(string response) => async (stream, _) => await stream.WriteAsync(Encoding.Latin1.GetBytes(response));

    public async ValueTask DisposeAsync()
    {
        await Agent.DisposeAsync();
        await Relay.DisposeAsync();
    }

    private async Task ServeAsync(BondStream stream, Func<BondStream, string, Task> answer)
    {
        while (await ReadHeadAsync(stream) is { } head) await answer(stream, head);
        await stream.CompleteWritesAsync();
    }

    private async Task<string?> ReadHeadAsync(BondStream stream)
    {
        var head = await ReadHeadAsync((Stream)stream);
        Keep(stream, Encoding.Latin1.GetBytes(head));
        return head.EndsWith("\r\n\r\n", StringComparison.Ordinal) ? head : null;
    }

    private void Keep(BondStream stream, ReadOnlySpan<byte> bytes)
    {
        var text = _received.GetOrAdd(stream.Header.Tunnel, _ => new());
        lock (text) text.Append(Encoding.Latin1.GetString(bytes));
    }
}
