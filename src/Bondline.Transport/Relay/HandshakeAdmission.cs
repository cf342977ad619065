using System.Net;

namespace Bondline.Transport;

/// <summary>Bounds the handshakes in progress, over all and per source, so that nobody unknown can make the relay grow. Where there are too many, the oldest one goes, first of the same source.</summary>
/// <remarks>An honest handshake is over within some round trips, so those that stay longest are those to lose: turning newcomers away would keep agents out for as long as a flood lasts. Thread-safe.</remarks>
public sealed class HandshakeAdmission(int limit, int limitPerSource)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Place> _all = new(); // oldest first, here and per source
    private readonly Dictionary<UInt128, LinkedList<Place>> _bySource = [];

    /// <summary>A place for one handshake; dispose it when the handshake is over, however it ended.</summary>
    /// <param name="source">Counted by its first 24 bits (IPv4) or 56 (IPv6); of this machine only the common limit is asked.</param>
    public Place Enter(IPAddress source)
    {
        var place = new Place(this, SourceBlock.KeyOf(source, ipv4Bytes: 3, ipv6Bytes: 7));
        Place? oldest = null;
        lock (_gate)
        {
            if (place.Key is { } known && _bySource.TryGetValue(known, out var crowd) && crowd.Count >= limitPerSource) oldest = crowd.First!.Value;
            else if (_all.Count >= limit) oldest = _all.First!.Value;
            if (oldest is not null) Remove(oldest);
            place.InAll = _all.AddLast(place);
            if (place.Key is { } key)
            {
                if (!_bySource.TryGetValue(key, out var siblings)) _bySource.Add(key, siblings = new());
                place.InSource = siblings.AddLast(place);
            }
        }

        oldest?.Lose();
        return place;
    }

    private void Leave(Place place)
    {
        lock (_gate) Remove(place);
    }

    private void Remove(Place place)
    {
        if (place.InAll?.List is null) return;
        _all.Remove(place.InAll);
        if (place.Key is not { } key) return;
        var siblings = _bySource[key];
        siblings.Remove(place.InSource!);
        if (siblings.Count == 0) _bySource.Remove(key);
    }

    /// <summary>One place taken.</summary>
    public sealed class Place : IDisposable
    {
        private readonly HandshakeAdmission _owner;
        private readonly CancellationTokenSource _lost = new(); // never disposed: whoever needs the place may cancel it late

        internal Place(HandshakeAdmission owner, UInt128? key) => (_owner, Key) = (owner, key);

        /// <summary>Cancelled when others needed the place: the handshake is to end.</summary>
        public CancellationToken Lost => _lost.Token;

        internal UInt128? Key { get; }

        internal LinkedListNode<Place>? InAll { get; set; }

        internal LinkedListNode<Place>? InSource { get; set; }

        public void Dispose() => _owner.Leave(this);

        internal void Lose() => _lost.Cancel();
    }
}
