using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class UndecidedTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ManualTime _time = new();
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<Socket> _clients = [];

    public UndecidedTests()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Any, 0));
        _listener.Listen();
    }

    public void Dispose()
    {
        foreach (var client in _clients) client.Dispose();
        _listener.Dispose();
    }

    [Fact]
    public void A_connection_has_its_time_and_no_more()
    {
        using var undecided = new Undecided(_time, Patience, limit: 10, limitPerSource: 10);
        var (early, late) = (undecided.Enter(Accept()), default(Undecided.Entry));
        _time.Advance(Patience - TimeSpan.FromSeconds(1));
        late = undecided.Enter(Accept());
        Assert.False(IsClosed(early));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(IsClosed(early));
        Assert.False(undecided.Leave(early));
        Assert.False(IsClosed(late));
        Assert.True(undecided.Leave(late));
        _time.Advance(Patience * 2);
        Assert.False(IsClosed(late)); // it is decided: others look after it
        late.Socket.Dispose();
    }

    [Fact]
    public void A_source_with_too_many_loses_its_oldest_and_others_lose_nothing()
    {
        using var undecided = new Undecided(_time, Patience, limit: 10, limitPerSource: 2);
        var other = undecided.Enter(Accept("127.0.1.1"));
        var flood = Enumerable.Range(1, 4).Select(i => undecided.Enter(Accept($"127.0.0.{i}"))).ToList(); // one /24
        Assert.Equal([true, true, false, false], flood.Select(IsClosed));
        Assert.False(IsClosed(other));
    }

    [Fact]
    public void When_all_places_are_taken_the_oldest_goes()
    {
        using var undecided = new Undecided(_time, Patience, limit: 2, limitPerSource: 2);
        var entries = Enumerable.Range(1, 3).Select(i => undecided.Enter(Accept($"127.0.{i}.1"))).ToList();
        Assert.Equal([true, false, false], entries.Select(IsClosed));
    }

    [Fact]
    public void The_end_of_the_relay_closes_all()
    {
        var undecided = new Undecided(_time, Patience, limit: 2, limitPerSource: 2);
        var entry = undecided.Enter(Accept());
        undecided.Dispose();
        Assert.True(IsClosed(entry));
    }

    private Socket Accept(string source = "127.0.0.1")
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _clients.Add(client);
        client.Bind(new IPEndPoint(IPAddress.Parse(source), 0));
        client.Connect(IPAddress.Loopback, ((IPEndPoint)_listener.LocalEndPoint!).Port);
        return _listener.Accept();
    }

    private static bool IsClosed(Undecided.Entry entry) => entry.Socket.SafeHandle.IsClosed;
}
