using Bondline.Testing;

namespace Bondline.Fuzz;

/// <summary>The engine under a list of operations, two or three bytes each, on a simulated bond of three paths in virtual time; at the end all heals.</summary>
/// <remarks>Every byte arrives once and in order or its stream ends with a clear error, nothing is left over, memory keeps its bounds: the simulation's own rules. A hostile frame goes to a bond of its own, which must refuse it as the protocol says.</remarks>
internal static class EngineTarget
{
    /// <summary>More would only take longer.</summary>
    private const int MaxOperations = 64, MaxStreams = 24;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(300);

    public static void Run(ReadOnlySpan<byte> input)
    {
        var run = new EngineRun();
        for (var count = 0; count < MaxOperations && input.Length >= 2; count++)
        {
            var (operation, argument) = (input[0], input[1]);
            input = input[2..];
            if (operation % EngineRun.Operations == EngineRun.HostileFrame)
            {
                var length = Math.Min(argument, input.Length);
                run.ReceiveHostile(input[..length]);
                input = input[length..];
                continue;
            }
            run.Do(operation % EngineRun.Operations, operation / EngineRun.Operations, argument);
        }
        run.Finish(LongestWait);
    }

    private sealed class EngineRun
    {
        public const int Operations = 12, HostileFrame = 11;

        private readonly SimulatedPath[] _paths = [new("wifi", 40, 12), new("cellular", 15, 60), new("cable", 80, 4)];
        private readonly SimulatedNetwork _network;
        private readonly SegmentPool _segments = new();
        private readonly Bond _attacked;
        private readonly Subflow _attackedSubflow;
        private byte[] _hostile = [];
        private bool _isOver;

        public EngineRun()
        {
            _network = new(seed: 1, _paths, BondOptions.Default with { MemoryBudgetBytes = 1 << 20 });
            _attacked = new(BondRole.Relay, BondOptions.Default with { MaxStreams = 8, MemoryBudgetBytes = 256 << 10, Segments = _segments }, seed: 1);
            _attackedSubflow = _attacked.AddSubflow(new(0), SubflowPolicy.Normal, TimeSpan.FromMilliseconds(10), default);
        }

        public void Do(int operation, int detail, byte argument)
        {
            var path = _paths[argument % _paths.Length];
            var end = argument % 2 == 0 ? _network.Agent : _network.Relay;
            switch (operation)
            {
                case 0 or 1:
                    Open(detail, argument);
                    break;
                case 2 or 3:
                    _network.RunFor(TimeSpan.FromMilliseconds(1 + (argument * (1 + detail))));
                    break;
                case 4:
                    _network.Silence(path, up: detail % 3 != 1, down: detail % 3 != 2);
                    break;
                case 5:
                    _network.Heal(path);
                    break;
                case 6:
                    foreach (var connection in On(path)) _network.Cut(connection, TimeSpan.FromMilliseconds(argument), TimeSpan.FromMilliseconds(detail * 50));
                    break;
                case 7:
                    if (On(path).Length < 2) _network.Join(path, relayAfter: TimeSpan.FromMilliseconds(argument), agentAfter: TimeSpan.FromMilliseconds(detail * 20));
                    break;
                case 8: // delay, reordering between the paths, rate
                    (path.RoundTrip, path.Jitter, path.MegabitsPerSecond) = (TimeSpan.FromMilliseconds(1 + argument), TimeSpan.FromMilliseconds(detail * 3), 1 + argument);
                    break;
                case 9:
                    if (detail % 3 == 0) end.Stop();
                    else if (detail % 3 == 1) end.Suspend();
                    else end.Wake();
                    break;
                default:
                    if (detail % 2 == 0) _network.Agent.Do((bond, now) => bond.ChangeMode((BondMode)(argument % 4), now));
                    else ChangePolicy(path, (SubflowPolicy)(argument % 4));
                    break;
            }
        }

        /// <summary>More of what a hostile peer sends on one subflow, frames cut anywhere.</summary>
        public void ReceiveHostile(ReadOnlySpan<byte> bytes)
        {
            if (_isOver) return;
            _hostile = [.. _hostile, .. bytes];
            var now = _network.Now;
            try
            {
                _hostile = _hostile[_attacked.HandleReceived(_attackedSubflow, _hostile, now)..];
                if (_attacked.NextTimeout <= now) _attacked.HandleTimeout(now);
            }
            catch (ProtocolException)
            {
                _isOver = true;
            }
            while (_attacked.TryPollEvent(out _))
            {
            }
            var record = new byte[Frame.MaxLength];
            for (var polls = 0; _attacked.PollTransmit(_attackedSubflow, now, record) > 0; polls++) FuzzTarget.Require(polls < 100, "an attacker does not make the bond talk without end");
            FuzzTarget.Require(_segments.RentedBytes <= 4 << 20, "an attacker does not get more memory than the limits say");
            FuzzTarget.Require(_hostile.Length < Frame.MaxLength, "no more waits than one frame");
        }

        public void Finish(TimeSpan within)
        {
            _network.Agent.Wake();
            _network.Relay.Wake();
            foreach (var path in _paths)
            {
                _network.Heal(path);
                if (On(path).Length == 0) _network.Join(path);
            }
            _network.RunUntilIdle(within);
        }

        private void Open(int detail, byte argument)
        {
            if (_network.Streams.Count == MaxStreams) return;
            var there = Plan(detail, argument);
            _network.Open((argument & 1) == 0 ? BondRole.Agent : BondRole.Relay, there, (argument & 2) == 0 ? null : Plan(argument % 21, (byte)detail));
        }

        private static FlowPlan Plan(int detail, byte argument)
        {
            var plan = new FlowPlan { Length = argument * (detail % 3) * 400L, PieceBytes = 1000 + (argument * 100), ReadBytes = 1000 + (detail * 2000) };
            return (detail / 3) switch
            {
                1 => plan with { ResetAt = plan.Length / 2 },
                2 => plan with { StopAt = plan.Length / 3 },
                3 => plan with { ReadAfter = TimeSpan.FromMilliseconds(argument * 20) },
                4 => plan with { Interval = TimeSpan.FromMilliseconds(1 + (argument / 8)) },
                5 => plan with { ReadInterval = TimeSpan.FromMilliseconds(1 + (argument / 16)) },
                _ => plan,
            };
        }

        private void ChangePolicy(SimulatedPath path, SubflowPolicy policy)
        {
            path.Policy = policy;
            foreach (var connection in On(path))
                if (_network.Agent.SubflowOf(connection) is { } subflow) _network.Agent.Do((bond, now) => bond.ChangePolicy(subflow, policy, now));
        }

        private SimulatedConnection[] On(SimulatedPath path) => [.. _network.Connections.Where(connection => connection.Path == path)];
    }
}
