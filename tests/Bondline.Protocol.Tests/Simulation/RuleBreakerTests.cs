using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>A peer that breaks a rule gets the error that names it; one that only wastes gets no further than the limits.</summary>
public sealed class RuleBreakerTests
{
    private readonly Bond _bond = new(BondRole.Relay, BondOptions.Default with { MaxStreams = 200, Segments = new() }, seed: 1);
    private readonly Subflow _subflow;
    private readonly byte[] _record = new byte[128 * 1024];
    private Instant _now = new(1_000_000);

    public RuleBreakerTests() => _subflow = _bond.AddSubflow(new(0), SubflowPolicy.Normal, TimeSpan.FromMilliseconds(10), _now);

    private static StreamId First => StreamId.FromOrdinal(BondRole.Agent, 0);

    [Theory]
    [InlineData(FrameType.Hello)]
    [InlineData(FrameType.Open)]
    [InlineData(FrameType.Welcome)]
    [InlineData(FrameType.Join)]
    [InlineData(FrameType.Joined)]
    public void A_handshake_frame_after_the_handshake(FrameType type) => Refuses(ProtocolError.FrameOutOfState, [(byte)type, 0]);

    [Fact]
    public void An_unknown_even_type() => Refuses(ProtocolError.FrameUnknown, [0x3E, 0]);

    [Fact]
    public void An_unknown_odd_type_is_skipped() => Assert.Equal(4, _bond.HandleReceived(_subflow, [0x3D, 0x02, 1, 2], _now));

    [Fact]
    public void A_frame_over_the_limit() => Refuses(ProtocolError.FrameTooLarge, [0x10, 0x80, 0x00, 0x40, 0x00]);

    [Fact]
    public void Bytes_beyond_a_streams_window()
    {
        var window = (ulong)_bond.Options.InitialStreamWindowBytes;
        Send(Stream(First, window - 1, 1));
        Refuses(ProtocolError.FlowControl, Stream(First, window, 1));
    }

    [Fact]
    public void Bytes_beyond_the_bonds_window()
    {
        var bond = new Bond(BondRole.Relay, BondOptions.Default with { MemoryBudgetBytes = 256 * 1024, InitialStreamWindowBytes = 512 * 1024, Segments = new() }, 1);
        var subflow = bond.AddSubflow(new(0), SubflowPolicy.Normal, TimeSpan.Zero, _now);
        bond.HandleReceived(subflow, Stream(StreamId.FromOrdinal(BondRole.Agent, 0), 512 * 1024 - 1, 1), _now);
        bond.HandleReceived(subflow, Stream(StreamId.FromOrdinal(BondRole.Agent, 1), 512 * 1024 - 1, 1), _now);
        Assert.Equal(ProtocolError.FlowControl, Assert.Throws<ProtocolException>(() => bond.HandleReceived(subflow, Stream(StreamId.FromOrdinal(BondRole.Agent, 2), 0, 1), _now)).Error);
    }

    [Fact]
    public void More_streams_than_allowed() => Refuses(ProtocolError.StreamLimit, Stream(StreamId.FromOrdinal(BondRole.Agent, 200), 0, 1));

    [Fact]
    public void A_stream_of_ours_that_we_never_opened() => Refuses(ProtocolError.FrameOutOfState, Stream(StreamId.FromOrdinal(BondRole.Relay, 0), 0, 1));

    [Fact]
    public void Bytes_behind_the_end()
    {
        Send(Stream(First, 0, 10, isEnd: true));
        Refuses(ProtocolError.FinalSize, Stream(First, 10, 1));
    }

    [Fact]
    public void An_end_that_moves()
    {
        Send(Stream(First, 0, 10, isEnd: true));
        Refuses(ProtocolError.FinalSize, Stream(First, 0, 9, isEnd: true));
    }

    [Fact]
    public void An_end_before_bytes_already_sent()
    {
        Send(Stream(First, 0, 10));
        Refuses(ProtocolError.FinalSize, Stream(First, 0, 9, isEnd: true));
    }

    [Fact]
    public void A_reset_that_changes_the_final_size()
    {
        Send(Stream(First, 0, 10));
        Refuses(ProtocolError.FinalSize, Write(new ResetFrame(First, 1, 9).WriteTo));
    }

    [Fact]
    public void A_second_reset_with_another_final_size()
    {
        Send(Write(new ResetFrame(First, 1, 9).WriteTo));
        Send(Write(new ResetFrame(First, 1, 9).WriteTo));
        Refuses(ProtocolError.FinalSize, Write(new ResetFrame(First, 1, 10).WriteTo));
    }

    [Fact]
    public void A_reset_beyond_the_window() => Refuses(ProtocolError.FlowControl, Write(new ResetFrame(First, 1, VarInt.MaxValue).WriteTo));

    [Fact]
    public void An_ack_of_bytes_never_sent()
    {
        Drain();
        Refuses(ProtocolError.AckBeyondSent, Ack((0, (ulong)_subflow.BytesSent + 1)));
    }

    [Fact]
    public void An_ack_that_goes_back_or_names_an_unknown_subflow_is_ignored()
    {
        Drain();
        Send(Ack((0, (ulong)_subflow.BytesSent)));
        Send(Ack((0, 0)));
        Send(Ack((77, 5)));
        Assert.Equal(_subflow.BytesSent, _subflow.BytesAcked);
    }

    [Fact]
    public void An_ack_that_says_too_little() => Refuses(ProtocolError.FrameMalformed, [0x12, 0x40, 0x02, 0x02, 0x00]);

    [Fact]
    public void An_ack_that_names_too_many_subflows() => Refuses(ProtocolError.FrameMalformed, [0x12, 0x40, 0x04, 0x80, 0x00, 0x10, 0x00]);

    [Fact]
    public void A_subflow_id_used_twice()
    {
        _bond.RemoveSubflow(_subflow, _now);
        Assert.Equal(ProtocolError.SubflowIdReused, Assert.Throws<ProtocolException>(() => _bond.AddSubflow(new(0), SubflowPolicy.Normal, TimeSpan.Zero, _now)).Error);
    }

    [Fact]
    public void Too_many_subflows()
    {
        for (ulong id = 1; id < (ulong)_bond.Options.MaxSubflows; id++) _bond.AddSubflow(new(id), SubflowPolicy.Normal, TimeSpan.Zero, _now);
        Assert.Equal(ProtocolError.TooManySubflows, Assert.Throws<ProtocolException>(() => _bond.AddSubflow(new(99), SubflowPolicy.Normal, TimeSpan.Zero, _now)).Error);
    }

    [Fact]
    public void A_closed_id_is_ignored()
    {
        Send(Stream(First, 0, 10, isEnd: true));
        var stream = Opened();
        _bond.Read(stream, new byte[100], _now);
        _bond.Finish(stream, _now);
        Drain();
        Send(Ack((0, (ulong)_subflow.BytesSent)));
        Assert.Equal(0, _bond.Statistics.Streams);
        Send(Stream(First, 0, 10));
        Send(Write(new MaxStreamDataFrame(First, 99).WriteTo));
        Send(Write(new StopSendingFrame(First, 1).WriteTo));
        Assert.Equal(0, _bond.Statistics.Streams);
    }

    [Fact]
    public void Single_bytes_with_gaps_cost_bounded_memory_and_work()
    {
        var bond = new Bond(BondRole.Relay, BondOptions.Default with { InitialStreamWindowBytes = 1 << 20, Segments = new() }, 1);
        var subflow = bond.AddSubflow(new(0), SubflowPolicy.Normal, TimeSpan.Zero, _now);
        // From behind, so that each goes to the front of the list.
        var error = Assert.Throws<ProtocolException>(() =>
        {
            for (var offset = 1 << 19; offset > 0; offset -= 2) bond.HandleReceived(subflow, Stream(First, (ulong)offset, 1), _now);
        });
        Assert.Equal(ProtocolError.Resource, error.Error);
        Assert.True(bond.Options.Segments.RentedBytes <= (1 << 20) + ReceiveBuffer.SegmentLength);
        bond.Close(error.Error, error.Message, _now);
        Assert.Equal(0, bond.Options.Segments.RentedBytes);
    }

    [Fact]
    public void Pings_that_are_never_polled_for_are_merged()
    {
        for (ulong number = 0; number < 10_000; number++) Send(Write(new PingFrame(FrameType.Ping, number).WriteTo));
        Assert.InRange(_bond.PollTransmit(_subflow, _now, _record), 1, PingFrame.ProbePadding + 200); // the last one's PONG, and a first PING of its own
    }

    [Theory]
    [InlineData(10)]      // the end comes behind little of another stream
    [InlineData(100_000)] // behind much
    public void A_peer_that_opens_no_window_hears_of_ends_all_the_same(int waiting)
    {
        var ending = _bond.TryOpenStream(_now)!;
        _bond.Write(ending, new byte[5000], _now);
        while (_bond.Statistics.BytesSent < Bond.InitialDataMaximum)
        {
            _bond.Write(_bond.TryOpenStream(_now)!, new byte[10_000], _now);
            Drain();
            Send(Ack((0, (ulong)_subflow.BytesSent)));
        }
        _bond.Write(_bond.TryOpenStream(_now)!, new byte[waiting], _now);
        Drain();
        Assert.True(_bond.Backlog.IsWaiting);
        _bond.Finish(ending, _now);
        Drain();
        Assert.True(ending.IsEndSent);
    }

    /// <summary>Each window update is a frame to remember until its ACK.</summary>
    [Fact]
    public void A_peer_that_acknowledges_nothing_makes_us_remember_no_more_than_the_limit()
    {
        const int Window = 4096;
        var bond = new Bond(BondRole.Relay, BondOptions.Default with { MemoryBudgetBytes = 256 * 1024, InitialStreamWindowBytes = Window, Segments = new() }, 1);
        var subflow = bond.AddSubflow(new(0), SubflowPolicy.Normal, TimeSpan.FromMilliseconds(10), _now);
        StreamEndpoint? stream = null;
        for (ulong i = 0; i < 600_000; i++)
        {
            bond.HandleReceived(subflow, Stream(First, i * (Window / 2), Window / 2), _now += TimeSpan.FromMilliseconds(50)); // slowly, or the window would grow
            stream ??= Opened(bond);
            while (bond.Read(stream, _record, _now) > 0)
            {
            }
            if (subflow.IsPingOutstanding) bond.HandleReceived(subflow, Write(new PingFrame(FrameType.Pong, subflow.PingNumber).WriteTo), _now); // it lives, and says so
            bond.HandleTimeout(_now);
            Drain(bond, subflow);
        }
        Assert.Equal(SubflowState.Active, subflow.State);
        Assert.InRange(subflow.Sent.Count, 100_000, 140_000);
    }

    [Fact]
    public void Streams_opened_and_reset_over_and_over_leave_nothing()
    {
        for (ulong ordinal = 0; ordinal < 5000; ordinal++)
        {
            var id = StreamId.FromOrdinal(BondRole.Agent, ordinal);
            Send(Stream(id, 0, 100));
            Send(Write(new ResetFrame(id, 1, 100).WriteTo));
            _bond.Reset(Opened(), StreamError.Cancelled, _now);
            Drain();
            Send(Ack((0, (ulong)_subflow.BytesSent)));
        }
        Assert.Equal(0, _bond.Statistics.Streams);
        Assert.Equal(0, _bond.Options.Segments.RentedBytes);
    }

    private void Refuses(ProtocolError error, byte[] bytes) => Assert.Equal(error, Assert.Throws<ProtocolException>(() => _bond.HandleReceived(_subflow, bytes, _now)).Error);

    private void Send(byte[] bytes)
    {
        _now += TimeSpan.FromMilliseconds(1);
        Assert.Equal(bytes.Length, _bond.HandleReceived(_subflow, bytes, _now));
    }

    private void Drain() => Drain(_bond, _subflow);

    private void Drain(Bond bond, Subflow subflow)
    {
        while (bond.PollTransmit(subflow, _now, _record) > 0)
        {
        }
    }

    private StreamEndpoint Opened() => Opened(_bond);

    private static StreamEndpoint Opened(Bond bond)
    {
        StreamEndpoint? opened = null;
        while (bond.TryPollEvent(out var bondEvent))
            if (bondEvent.Kind == BondEventKind.StreamOpened) opened = bondEvent.Stream;
        return opened!;
    }

    private static byte[] Stream(StreamId id, ulong offset, int length, bool isEnd = false)
    {
        var bytes = new byte[StreamFrame.MaxHeaderLength + length];
        var header = StreamFrame.WriteHeader(bytes, id, offset, length, isEnd);
        return bytes[..(header + length)];
    }

    private delegate int Writer(Span<byte> destination);

    private static byte[] Write(Writer writer)
    {
        var bytes = new byte[64];
        return bytes[..writer(bytes)];
    }

    private static byte[] Ack((ulong Id, ulong Processed) entry)
    {
        var body = new byte[32];
        body[0] = 1;
        var length = 1 + VarInt.Write(body.AsSpan(1), entry.Id);
        length += VarInt.Write(body.AsSpan(length), entry.Processed);
        return [(byte)FrameType.Ack, (byte)length, .. body[..length]];
    }
}
