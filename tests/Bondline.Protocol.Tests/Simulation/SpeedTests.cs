using System.Diagnostics;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>Two bonds joined in memory without delay: what the engine itself costs.</summary>
public sealed class SpeedTests(ITestOutputHelper output)
{
    private const int Warm = 64 << 20, Measured = 512 << 20;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Steady_traffic_allocates_nothing(int subflows)
    {
        var pair = new Pair(subflows);
        pair.Transfer(Warm);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var watch = Stopwatch.StartNew();
        pair.Transfer(Measured);
        watch.Stop();
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        output.WriteLine($"{subflows} subflows: {Measured / watch.Elapsed.TotalSeconds / 1e6:0} MB/s, {allocated} bytes allocated for {pair.Frames} frames");
        Assert.True(allocated < 64 * 1024, $"{allocated} bytes were allocated for {pair.Frames} frames");
    }

    private sealed class Pair
    {
        private readonly Bond _agent = new(BondRole.Agent, BondOptions.Default with { Segments = new() }, 1), _relay = new(BondRole.Relay, BondOptions.Default with { Segments = new() }, 2);
        private readonly List<(Subflow Agent, Subflow Relay)> _subflows = [];
        private readonly byte[] _record = new byte[128 * 1024], _data = new byte[256 * 1024];
        private readonly StreamEndpoint _sending;
        private StreamEndpoint? _receiving;
        private Instant _now = new(1);
        private long _written, _read;

        public Pair(int subflows)
        {
            for (ulong id = 0; id < (ulong)subflows; id++)
                _subflows.Add((_agent.AddSubflow(new(id), SubflowPolicy.Normal, TimeSpan.FromMilliseconds(0.1), _now), _relay.AddSubflow(new(id), SubflowPolicy.Normal, TimeSpan.FromMilliseconds(0.1), _now)));
            Exchange();
            _sending = _agent.TryOpenStream(_now)!;
        }

        public long Frames { get; private set; }

        public void Transfer(long bytes)
        {
            var goal = _read + bytes;
            while (_read < goal)
            {
                _now += TimeSpan.FromMicroseconds(20);
                _written += _agent.Write(_sending, _data, _now);
                Exchange();
                if (_receiving is null) continue;
                for (int length; (length = _relay.Read(_receiving, _data, _now)) > 0;) _read += length;
                if (_agent.NextTimeout <= _now) _agent.HandleTimeout(_now);
                if (_relay.NextTimeout <= _now) _relay.HandleTimeout(_now);
            }
        }

        private void Exchange()
        {
            foreach (var (agent, relay) in _subflows)
            {
                Move(_agent, agent, _relay, relay);
                Move(_relay, relay, _agent, agent);
            }
            while (_agent.TryPollEvent(out _))
            {
            }
            while (_relay.TryPollEvent(out var bondEvent))
                if (bondEvent.Kind == BondEventKind.StreamOpened) _receiving = bondEvent.Stream;
        }

        private void Move(Bond from, Subflow sender, Bond to, Subflow receiver)
        {
            for (int length; (length = from.PollTransmit(sender, _now, _record)) > 0;)
            {
                Frames += (length + Frame.MaxLength - 1) / Frame.MaxLength;
                if (to.HandleReceived(receiver, _record.AsSpan(0, length), _now) != length) throw new InvalidOperationException("A poll ended inside a frame.");
            }
        }
    }
}
