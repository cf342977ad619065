using System.Diagnostics.CodeAnalysis;
using Bondline.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Bondline.Relay;

/// <summary>Tells an agent that watches which requests were served: some of each second one by one, the others as a number. It waits for nothing and queues nothing itself.</summary>
/// <param name="tryTell">Hands a message to the control stream; false if it has no room now.</param>
/// <param name="time">Limits the messages.</param>
internal sealed class RequestFeed(Func<ControlMessage, bool> tryTell, TimeProvider time) : IDisposable
{
    /// <summary>Messages a second about single requests.</summary>
    public const int LimitPerSecond = 20;

    private const int MaxMethodLength = 16, MaxTargetLength = 200;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private long _secondBegan;
    private int _told, _untold;
    private ITimer? _summary;
    private bool _isOver;
    private volatile bool _isWatched;

    /// <summary>Tells of every request that begins from now on.</summary>
    public void Watch() => _isWatched = true;

    /// <summary>A request of <paramref name="tunnel"/> begins; disposing the result ends it.</summary>
    public Request Begin(HttpContext context, ulong tunnel) => _isWatched ? new(this, context, tunnel, time.GetTimestamp()) : default;

    /// <summary>Ends the feed: what was not told is not told any more.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isOver = true;
            _summary?.Dispose();
        }
    }

    private void Tell(HttpContext context, ulong tunnel, long began)
    {
        var now = time.GetTimestamp();
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        var message = new RequestServed(
            tunnel, Cut(context.Request.Method, MaxMethodLength), Cut(target, MaxTargetLength), context.Response.StatusCode, (long)time.GetElapsedTime(began, now).TotalMilliseconds, context.Response.ContentLength);
        lock (_gate)
        {
            if (time.GetElapsedTime(_secondBegan, now) >= Second) (_secondBegan, _told) = (now, 0);
            if (_told < LimitPerSecond && tryTell(message)) _told++;
            else Postpone();
        }
    }

    /// <summary>Under the lock. The number follows within a second, whether or not more requests come.</summary>
    private void Postpone()
    {
        if (_untold++ > 0 || _isOver) return;
        _summary ??= time.CreateTimer(static feed => ((RequestFeed)feed!).Summarize(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _summary.Change(Second, Timeout.InfiniteTimeSpan);
    }

    private void Summarize()
    {
        lock (_gate)
        {
            if (_isOver || _untold == 0) return;
            if (tryTell(new RequestsUntold(_untold))) _untold = 0;
            else _summary!.Change(Second, Timeout.InfiniteTimeSpan);
        }
    }

    // Not in the middle of a character of two halves.
    private static string Cut(string text, int length) =>
        text.Length <= length ? text : text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    /// <summary>A request under way; nothing if nobody watches.</summary>
    [SuppressMessage("Performance", "CA1815", Justification = "Never compared.")]
    public readonly struct Request(RequestFeed feed, HttpContext context, ulong tunnel, long began) : IDisposable
    {
        public void Dispose() => feed?.Tell(context, tunnel, began);
    }
}
