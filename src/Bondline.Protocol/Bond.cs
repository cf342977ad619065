namespace Bondline.Protocol;

public sealed class Bond(BondRole role, BondOptions options, ulong seed)
{
    public BondRole Role => role;
    public BondOptions Options => options;
    public ulong Seed => seed;
    public Subflow AddSubflow(SubflowId id, SubflowPolicy policy, TimeSpan initialRtt, Instant now) => throw new NotSupportedException();
    public void RemoveSubflow(Subflow s, Instant now) => throw new NotSupportedException();
    public void HandleLinkLost(Subflow s, SubflowReason why, Instant now) => throw new NotSupportedException();
    public void HandleTcpSample(Subflow s, in TcpSample sample, Instant now) => throw new NotSupportedException();
    public void HandleClockLate(TimeSpan late, Instant now) => throw new NotSupportedException();
    public void HandleResumedFromSuspend(Instant now) => throw new NotSupportedException();
    public int HandleReceived(Subflow s, ReadOnlySpan<byte> input, Instant now) => throw new NotSupportedException();
    public int PollTransmit(Subflow s, Instant now, Span<byte> buffer) => throw new NotSupportedException();
    public void HandleTimeout(Instant now) => throw new NotSupportedException();
    public Instant NextTimeout => Instant.Never;
    public StreamEndpoint? TryOpenStream(Instant now) => throw new NotSupportedException();
    public int Write(StreamEndpoint s, ReadOnlySpan<byte> data, Instant now) => throw new NotSupportedException();
    public void Finish(StreamEndpoint s, Instant now) => throw new NotSupportedException();
    public int Read(StreamEndpoint s, Span<byte> destination, Instant now) => throw new NotSupportedException();
    public void Reset(StreamEndpoint s, StreamError code, Instant now) => throw new NotSupportedException();
    public void StopSending(StreamEndpoint s, StreamError code, Instant now) => throw new NotSupportedException();
    public bool TryPollEvent(out BondEvent bondEvent) => throw new NotSupportedException();
    public void Close(ProtocolError code, string reason, Instant now) => throw new NotSupportedException();
    public bool IsClosed => false;
    public BondStatistics Statistics => default;
    public IReadOnlyList<Subflow> Subflows => [];
}

public readonly record struct BondStatistics(long BytesWritten, long BytesRead, long FramingBytesSent, long BytesReinjected, long BytesDuplicated, long DuplicateBytesReceived, int Streams, long BufferedBytes);

public sealed class Subflow
{
    public SubflowId Id { get; }
    public object? Owner { get; set; }
    public SubflowState State { get; }
    public SubflowReason Reason { get; }
    public SubflowPolicy Policy { get; }
    public TimeSpan SmoothedRtt { get; }
    public TimeSpan MinRtt { get; }
    public double RateBytesPerSecond { get; }
    public long UnackedBytes { get; }
    public long CapBytes { get; }
    public long BytesSent { get; }
    public long BytesReceived { get; }
    public long BytesAcked { get; }
    public long BytesReinjected { get; }
    public Instant LastProgress { get; }
}

public sealed class StreamEndpoint
{
    public StreamId Id { get; }
    public object? Owner { get; set; }
    public ReceiveState ReceiveState { get; }
    public SendState SendState { get; }
    public StreamError ResetCode { get; }
    public StreamError StopCode { get; }
    public int ReadableBytes { get; }
    public int WritableBytes { get; }
}
