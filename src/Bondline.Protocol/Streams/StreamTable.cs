namespace Bondline.Protocol;

/// <summary>The open streams of a bond, and which ids of the peer were ever seen: a frame for a closed stream is ignored, and no id is used twice.</summary>
/// <remarks>The peer numbers its streams in order, but their first frames arrive in any order: seen are all ordinals below a mark, and a set above it that the stream limit bounds.</remarks>
internal sealed class StreamTable(BondRole role, int maxStreams)
{
    private readonly Dictionary<ulong, StreamEndpoint> _open = [];
    private readonly HashSet<ulong> _seenAbove = [];
    private ulong _seenBelow;
    private ulong _peerClosed;

    public int Count => _open.Count;

    public Dictionary<ulong, StreamEndpoint>.ValueCollection Open => _open.Values;

    /// <summary>How many streams we opened.</summary>
    public ulong Opened { get; private set; }

    /// <summary>How many the peer lets us open since the bond began.</summary>
    public ulong OpenMaximum { get; set; } = InitialMaximum;

    /// <summary>How many the peer may open since the bond began: those that are closed, and the limit.</summary>
    /// <remarks>A peer that leaves an ordinal out gets no further than the limit beyond it, so what is remembered above the mark stays bounded.</remarks>
    public ulong PeerMaximum => Math.Max(InitialMaximum, Math.Min(_peerClosed, _seenBelow) + (ulong)maxStreams);

    /// <summary>Both ends start with this many, before the first MAX_STREAMS.</summary>
    public const ulong InitialMaximum = 128;

    public StreamId TakeId() => StreamId.FromOrdinal(role, Opened++);

    public void Add(StreamEndpoint stream) => _open.Add(stream.Id.Value, stream);

    public StreamEndpoint? Find(StreamId id) => _open.GetValueOrDefault(id.Value);

    /// <summary>Looks at the first frame of a stream that is not open.</summary>
    /// <returns>True if the peer opens the stream with it, false if the stream is closed and the frame is to be ignored.</returns>
    /// <exception cref="ProtocolException">The peer uses an id of ours it cannot know, or opens more streams than it may.</exception>
    public bool IsOpenedNow(StreamId id)
    {
        if (id.Opener == role)
        {
            if (id.Ordinal >= Opened) throw new ProtocolException(ProtocolError.FrameOutOfState, $"The peer names {id}, which we never opened.");
            return false;
        }
        if (id.Ordinal < _seenBelow || _seenAbove.Contains(id.Ordinal)) return false;
        if (id.Ordinal >= PeerMaximum) throw new ProtocolException(ProtocolError.StreamLimit, $"The peer opens {id}; it may open {PeerMaximum} streams.");
        if (id.Ordinal == _seenBelow)
        {
            _seenBelow++;
            while (_seenAbove.Remove(_seenBelow)) _seenBelow++;
        }
        else
        {
            _seenAbove.Add(id.Ordinal);
        }
        return true;
    }

    public void Remove(StreamEndpoint stream)
    {
        if (_open.Remove(stream.Id.Value) && stream.Id.Opener != role) _peerClosed++;
    }
}
