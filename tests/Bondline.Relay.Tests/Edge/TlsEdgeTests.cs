using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>How long a connection may leave open what it is.</summary>
public sealed class TlsEdgeTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ManualTime _time = new();
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<Socket> _clients = [];
    private readonly TaskCompletionSource<Socket> _visitor = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TlsEdge _edge;

    public TlsEdgeTests()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        // No agent comes, so the bonds are not asked.
        _edge = new TlsEdge(null!, socket => Task.FromResult(_visitor.TrySetResult(socket)), "", 4096, _time, NullLogger.Instance);
    }

    public void Dispose()
    {
        _edge.Dispose();
        foreach (var client in _clients) client.Dispose();
        _listener.Dispose();
    }

    [Fact]
    public async Task A_silent_connection_has_its_time_and_no_more()
    {
        var (early, _) = Accept();
        var servingEarly = _edge.ServeAsync(early);
        _time.Advance(Patience - TimeSpan.FromSeconds(1));
        var (late, _) = Accept();
        var servingLate = _edge.ServeAsync(late);
        Assert.False(servingEarly.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));
        await servingEarly;
        Assert.True(early.SafeHandle.IsClosed);
        Assert.False(late.SafeHandle.IsClosed);
        Assert.False(servingLate.IsCompleted);
    }

    [Fact]
    public async Task One_that_is_decided_is_left_alone()
    {
        var (accepted, client) = Accept();
        var serving = _edge.ServeAsync(accepted);
        await client.SendAsync(FirstBytesTests.Hello(alpn: ["h2"]), TestContext.Current.CancellationToken);
        var visitor = await _visitor.Task;
        await serving;
        _time.Advance(Patience * 2);
        _edge.Dispose();
        Assert.False(visitor.SafeHandle.IsClosed);
        visitor.Dispose();
    }

    [Fact]
    public async Task The_end_of_the_relay_closes_all()
    {
        var (accepted, _) = Accept();
        var serving = _edge.ServeAsync(accepted);
        _edge.Dispose();
        await serving;
        Assert.True(accepted.SafeHandle.IsClosed);
    }

    private (Socket Accepted, Socket Client) Accept()
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _clients.Add(client);
        client.Connect(_listener.LocalEndPoint!);
        return (_listener.Accept(), client);
    }
}
