namespace Bondline.Protocol;

/// <summary>One TLS-over-TCP connection of a bond as the engine sees it: what was sent and not acknowledged, its estimates, its health.</summary>
/// <remarks>The driver keeps it as a handle; reading its properties needs the driver's lock.</remarks>
public sealed class Subflow
{
    internal const int Quantum = Frame.MaxLength, SmallQuantum = 4096;

    /// <summary>In flight at least, whatever the estimates say.</summary>
    internal const long MinimumCapBytes = 2 * Quantum;

    /// <summary>Below this rate frames are small, so that one does not hold the path for long: 20 Mbit/s.</summary>
    private const double SmallQuantumRate = 20e6 / 8;

    internal SentFrames Sent;
    internal RttEstimator Rtt;
    internal LoopEstimator Loop;
    internal RateEstimator Rate;
    internal readonly Queue<ControlItem> Control = new();
    internal readonly Queue<CopyItem> Copies = new();
    internal readonly CopyQueue Repeats = new();

    internal Subflow(SubflowId id, SubflowPolicy policy, TimeSpan initialRtt, Instant now)
    {
        Id = id;
        Policy = policy;
        Rtt = new(initialRtt, now);
        Loop = new(initialRtt, now);
        LastProgress = now;
        AwaitingSince = Instant.Never;
        NextPing = now;
        StartupCap = MinimumCapBytes;
    }

    public SubflowId Id { get; }

    /// <summary>Whatever the driver wants to find again in events.</summary>
    public object? Owner { get; set; }

    /// <summary>The kernel spreads it over several paths, whose round trips and queues it hides.</summary>
    public bool IsMultipath { get; init; }

    public SubflowState State { get; internal set; }

    public SubflowReason Reason { get; internal set; }

    public SubflowPolicy Policy { get; internal set; }

    public TimeSpan SmoothedRtt => Rtt.Smoothed;

    public TimeSpan MinRtt => Rtt.Min;

    /// <summary>Estimated delivery rate; before the first estimate, what is in flight now per round trip.</summary>
    public double RateBytesPerSecond => IsStartup || Rate.BytesPerSecond <= 0 ? Math.Max(Rate.BytesPerSecond, StartupCap / Math.Max(Loop.Base.TotalSeconds, 1e-4)) : Rate.BytesPerSecond;

    /// <summary>Bytes written to the subflow and not yet acknowledged.</summary>
    public long UnackedBytes => BytesSent - BytesAcked;

    /// <summary>New data is taken only while <see cref="UnackedBytes"/> is below.</summary>
    public long CapBytes { get; internal set; } = MinimumCapBytes;

    public long BytesSent { get; internal set; }

    public long BytesAcked { get; internal set; }

    /// <summary>Bytes of the peer's frames processed: what our ACK says.</summary>
    public long BytesReceived { get; internal set; }

    /// <summary>Stream bytes sent here that were sent elsewhere before.</summary>
    public long BytesReinjected { get; internal set; }

    /// <summary>When the peer last showed that something we sent here arrived.</summary>
    public Instant LastProgress { get; internal set; }

    // --- sending
    internal bool IsWriting;               // the driver has bytes of the last poll in its hands
    internal Instant WritingSince;
    internal bool IsAckWanted;
    internal bool IsCloseSent;
    internal ulong? PongWanted;
    internal int PongPadding;
    internal long LastElicitingEnd;        // position behind the last frame that elicits an ACK

    // --- start-up, as TCP's slow start
    internal bool IsStartup = true;
    internal long StartupCap;
    internal double StartupBestRate;
    internal int StartupFlatRounds;

    // --- health
    internal Instant AwaitingSince;        // waiting for an answer without progress since
    internal int LateRestarts;             // of that clock, because this process was late
    internal Instant NextPing;
    internal ulong PingNumber;             // of the last PING sent
    internal Instant PingSentAt;
    internal bool IsPingOutstanding;
    internal bool IsPingPadded;            // the outstanding one is a probe
    internal bool IsProven;                // a large frame went there and back
    internal Instant ActiveSince;
    internal Instant CheckAt = Instant.Never;
    internal Instant NextLateCheck;
    internal Instant LostAt;
    internal bool IsLinkLost;
    internal ulong StatusVersion;
    internal int CopiedAhead;              // so many of the oldest unacknowledged frames need no copy
    internal bool IsCopiedOut;             // its unacknowledged frames were handed to the others

    // --- pauses of this process
    internal bool IsAlone;                 // no other subflow was usable when this one was last acknowledged
    internal TimeSpan Pause;               // the longest of late, as far as it counts
    internal Instant PausedAt;

    // --- draining the queue to measure the loop again
    internal Instant DrainUntil;
    internal Instant NextDrain;
    internal bool IsDraining;

    // --- what the kernel said last
    internal TcpSample? Tcp;
    internal Instant TcpAt;
    internal double LossRate;

    /// <summary>It joined, and whether large packets pass is being tried.</summary>
    internal bool IsProving => IsPingOutstanding && IsPingPadded && !IsProven;

    /// <summary>Something was sent that the peer acknowledges, and has not yet.</summary>
    public bool HasOutstanding => BytesAcked < LastElicitingEnd;

    internal bool HasCredit => UnackedBytes < CapBytes;

    internal int FrameLimit => RateBytesPerSecond < SmallQuantumRate ? SmallQuantum : Quantum;

    /// <summary>Seconds until <paramref name="bytes"/> more bytes handed over now are at the peer: the queue beyond one bandwidth-delay product, the way there, and themselves.</summary>
    internal double FinishTime(long bytes)
    {
        // Start-up hopes for twice what it has seen; what it has seen is what bytes can be promised by.
        var rate = IsStartup ? RateBytesPerSecond / 2 : RateBytesPerSecond;
        return Math.Max(0, UnackedBytes - rate * Loop.Base.TotalSeconds) / rate + Rtt.Min.TotalSeconds / 2 + bytes / rate;
    }

    /// <summary>Silence after which the subflow is suspect (docs/protocol.md, "Health of subflows").</summary>
    internal TimeSpan SuspectAfter(BondOptions options)
    {
        var srtt = Rtt.Smoothed;
        var margin = Rtt.Variation * 4;
        if (margin < options.SuspectMargin) margin = options.SuspectMargin;
        var threshold = srtt + margin + options.AckDelay * 2;
        if (Rate.BytesPerSecond > 0) threshold += TimeSpan.FromSeconds(Math.Min(0.2, FrameLimit / Rate.BytesPerSecond));
        if (threshold < TimeSpan.FromMilliseconds(40)) threshold = TimeSpan.FromMilliseconds(40);
        var ceiling = srtt * 1.5 > TimeSpan.FromMilliseconds(250) ? srtt * 1.5 : TimeSpan.FromMilliseconds(250);
        return threshold < ceiling ? threshold : ceiling;
    }

    /// <summary>Forgets the rate and finds it as that of a new subflow.</summary>
    internal void BeginStartup()
    {
        Rate = default;
        IsStartup = true;
        StartupCap = MinimumCapBytes;
        StartupBestRate = 0;
        StartupFlatRounds = 0;
    }

    /// <summary>Something was sent that the peer must answer: from now on silence counts.</summary>
    internal void Await(BondOptions options, Instant now)
    {
        if (AwaitingSince != Instant.Never) return;
        AwaitingSince = now;
        CheckAt = now + SuspectAfter(options) / 2;
    }

    internal TimeSpan DeadAfter(BondOptions options)
    {
        var threshold = SuspectAfter(options) * 3;
        return threshold > TimeSpan.FromSeconds(1) ? threshold : TimeSpan.FromSeconds(1);
    }

    public override string ToString() => $"{Id} ({State}, srtt {Rtt.Smoothed.TotalMilliseconds:0.0} ms, {Rate.BytesPerSecond * 8 / 1e6:0.0} Mbit/s)";
}

/// <summary>A control frame to write; its numbers are taken when it is written, so a late one is never stale.</summary>
internal readonly record struct ControlItem(FrameType Type, StreamEndpoint? Stream, Subflow? About);

/// <summary>Stream bytes to send again: a copy of a small frame, or bytes of a silent subflow.</summary>
internal readonly record struct CopyItem(StreamEndpoint Stream, ulong Start, ulong End, bool IsEnd, Subflow Source);
