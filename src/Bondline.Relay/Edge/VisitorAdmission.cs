using System.Net;
using System.Runtime.InteropServices;
using Bondline.Transport;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>Bounds the connections visitors hold, over all and per source. Who comes when there are too many is turned away: those who are served may be so for days. Thread-safe.</summary>
/// <param name="limit">Over all.</param>
/// <param name="limitPerSource">From one address of IPv4 or one /64 of IPv6. Of this machine only <paramref name="limit"/> is asked: a proxy on it may stand for anybody.</param>
/// <param name="time">So that a flood fills no log.</param>
/// <param name="log">Told at most once a minute.</param>
internal sealed class VisitorAdmission(int limit, int limitPerSource, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, int> _bySource = [];
    private int _count;
    private long? _told; // when the log was

    /// <summary>A place for one connection; dispose it when that is closed.</summary>
    /// <param name="source">Null if it has no address.</param>
    /// <returns>Null if there is none.</returns>
    public Place? TryEnter(IPAddress? source)
    {
        var block = source is null ? null : SourceBlock.KeyOf(source, ipv4Bytes: 4, ipv6Bytes: 8);
        bool isFull, isToBeTold;
        lock (_gate)
        {
            isFull = _count >= limit;
            if (!isFull && TryCount(block)) return new(this, block);
            var now = time.GetTimestamp();
            isToBeTold = _told is not { } before || time.GetElapsedTime(before, now) >= Quiet;
            if (isToBeTold) _told = now;
        }
        if (isToBeTold && isFull) log.TooManyVisitors(limit);
        else if (isToBeTold) log.TooManyOfOneSource(source!.IsIPv4MappedToIPv6 ? source.MapToIPv4() : source, limitPerSource);
        return null;
    }

    private bool TryCount(UInt128? block)
    {
        if (block is { } key)
        {
            ref var ofSource = ref CollectionsMarshal.GetValueRefOrAddDefault(_bySource, key, out _);
            if (ofSource >= limitPerSource) return false;
            ofSource++;
        }
        _count++;
        return true;
    }

    private void Leave(UInt128? block)
    {
        lock (_gate)
        {
            _count--;
            if (block is not { } key) return;
            if (_bySource[key] == 1) _bySource.Remove(key);
            else _bySource[key]--;
        }
    }

    /// <summary>One place taken.</summary>
    public sealed class Place : IDisposable
    {
        private readonly UInt128? _block;
        private VisitorAdmission? _owner;

        internal Place(VisitorAdmission owner, UInt128? block) => (_owner, _block) = (owner, block);

        public void Dispose() => Interlocked.Exchange(ref _owner, null)?.Leave(_block);
    }
}
