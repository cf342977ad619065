namespace Bondline.Protocol;

/// <summary>A frame that was written to a subflow and not yet acknowledged.</summary>
internal struct SentFrame
{
    /// <summary>Position in the subflow's byte stream behind the frame: acknowledged when the peer has processed that much.</summary>
    public long EndsAt;
    public FrameType Type;
    public StreamEndpoint? Stream;
    public Subflow? About;             // SUBFLOW_STATUS
    public ulong Start, End;           // stream offsets
    public Instant SentAt;

    /// <summary>Bytes of the subflow acknowledged by then.</summary>
    public long AckedBefore;

    /// <summary>When it should be at the peer if the subflow goes on as it was.</summary>
    public Instant ExpectedAt;
    public bool IsEnd;

    /// <summary>A copy is queued or was sent elsewhere, so nothing is owed if this subflow dies.</summary>
    public bool IsCopied;

    /// <summary>It was written while the subflow drained and had no queue.</summary>
    public bool IsDrained;

    /// <summary>It was sent on two subflows on purpose: being late costs nothing, but it is still owed.</summary>
    public bool IsDoubled;
}

/// <summary>The unacknowledged frames of a subflow, oldest first: a ring that grows to what is in flight.</summary>
internal struct SentFrames
{
    private const int KeptWhenIdle = 1024;

    private SentFrame[]? _ring;
    private int _head;

    public int Count { get; private set; }

    public readonly ref SentFrame this[int index] => ref _ring![(_head + index) & (_ring.Length - 1)];

    public void Add(in SentFrame frame)
    {
        if (_ring is null || Count == _ring.Length) Grow();
        _ring![(_head + Count++) & (_ring.Length - 1)] = frame;
    }

    public void RemoveFirst()
    {
        _ring![_head] = default;
        _head = (_head + 1) & (_ring.Length - 1);
        if (--Count == 0 && _ring.Length > KeptWhenIdle) _ring = null;
    }

    public void Clear()
    {
        _ring = null;
        _head = 0;
        Count = 0;
    }

    private void Grow()
    {
        var larger = new SentFrame[Math.Max(8, Count * 2)];
        for (var i = 0; i < Count; i++) larger[i] = this[i];
        _ring = larger;
        _head = 0;
    }
}
