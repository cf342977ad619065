using Bondline.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class RequestFeedTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly List<ControlMessage> _told = [];
    private readonly RequestFeed _feed;
    private bool _hasRoom = true;

    public RequestFeedTests()
    {
        _feed = new(TryTell, _time);
        _time.Advance(TimeSpan.FromMinutes(1));
    }

    public void Dispose() => _feed.Dispose();

    [Fact]
    public void Nothing_is_told_before_somebody_watches()
    {
        Serve("/");
        Assert.Empty(_told);
        _feed.Watch();
        Serve("/");
        Assert.Equal([new RequestServed(7, "GET", "/", 204, 30)], _told);
    }

    [Fact]
    public void Of_many_requests_twenty_a_second_are_told_and_the_others_counted()
    {
        _feed.Watch();
        for (var i = 0; i < 100; i++) Serve("/");
        Assert.Equal(RequestFeed.LimitPerSecond, _told.Count);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(new RequestsUntold(100 - RequestFeed.LimitPerSecond), _told[^1]);
        Serve("/");
        Assert.IsType<RequestServed>(_told[^1]);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(RequestFeed.LimitPerSecond + 2, _told.Count); // no empty summary
    }

    [Fact]
    public void While_the_agent_does_not_read_requests_are_counted_and_told_later()
    {
        _feed.Watch();
        _hasRoom = false;
        for (var i = 0; i < 5; i++) Serve("/");
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(_told);
        _hasRoom = true;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([new RequestsUntold(5)], _told);
    }

    [Fact]
    public void What_a_visitor_wrote_is_cut_short()
    {
        _feed.Watch();
        Serve("/" + new string('a', 198) + "\ud83d\ude00" + new string('b', 100_000), new string('X', 1000));
        var served = Assert.IsType<RequestServed>(Assert.Single(_told));
        Assert.Equal((new string('X', 16), "/" + new string('a', 198)), (served.Method, served.Target)); // and no half of a character
    }

    [Fact]
    public void After_its_end_nothing_is_told()
    {
        _feed.Watch();
        _hasRoom = false;
        Serve("/");
        _hasRoom = true;
        _feed.Dispose();
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Empty(_told);
    }

    private bool TryTell(ControlMessage message)
    {
        if (_hasRoom) _told.Add(message);
        return _hasRoom;
    }

    private void Serve(string target, string method = "GET")
    {
        var context = new DefaultHttpContext();
        context.Request.Method = method;
        context.Features.Get<IHttpRequestFeature>()!.RawTarget = target;
        using (_feed.Begin(context, 7))
        {
            _time.Advance(TimeSpan.FromMilliseconds(_told.Count == 0 ? 30 : 0));
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        }
    }
}
