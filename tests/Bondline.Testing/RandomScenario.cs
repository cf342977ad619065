namespace Bondline.Testing;

/// <summary>A whole run made from a seed: networks, limits, streams both ways, faults that all heal, and the rules that must hold in the end.</summary>
public sealed class RandomScenario
{
    private readonly SeededRandom _random;
    private readonly SimulatedNetwork _network;
    private readonly List<SimulatedPath> _paths = [];
    private readonly HashSet<SimulatedPath> _lost = [];
    private readonly bool _redials;
    private TimeSpan _faultsUntil;

    /// <param name="seed">Of everything.</param>
    /// <param name="record">Where both bonds are written down, if they are.</param>
    public RandomScenario(ulong seed, IBondRecord? record = null)
    {
        _random = new(seed ^ 0x5EED_0B0D);
        MakePaths();
        var window = _random.Chance(0.7) ? 64 << 10 : (int)_random.Spread(16 * 1024, 256 * 1024);
        _network = new(seed, _paths, MakeOptions(window), MakeOptions(window), _random.Chance(0.5) ? 128 * 1024 : Frame.MaxLength, record);
        if (_random.Chance(0.5)) _network.Agent.TimerLateness = _random.Between(TimeSpan.Zero, TimeSpan.FromMilliseconds(4));
        if (_random.Chance(0.5)) _network.Relay.TimerLateness = _random.Between(TimeSpan.Zero, TimeSpan.FromMilliseconds(4));
        _redials = _random.Chance(0.5);
        if (_redials) _network.Agent.Died = Redial;
        MakeStreams();
        if (_random.Chance(0.85)) MakeFaults();
        if (_random.Chance(0.4)) MakeChanges();
    }

    public SimulatedNetwork Network => _network;

    /// <summary>Runs it to the end.</summary>
    /// <exception cref="SimulationException">A rule was broken; the message names the seed.</exception>
    public void Run()
    {
        try
        {
            _network.RunUntil(_faultsUntil);
            _network.RunUntilIdle(TimeSpan.FromSeconds(300));
        }
        catch (Exception error) when (error is not SimulationException)
        {
            throw _network.Fail(error.ToString());
        }
    }

    // ---------------------------------------------------------------- networks

    private void MakePaths()
    {
        var count = _random.Chance(0.1) ? 1 : (int)_random.Between(2, 4);
        for (var i = 0; i < count; i++)
        {
            var path = new SimulatedPath($"path{i}", _random.Spread(300, 300_000) / 1000.0, _random.Spread(200, 400_000) / 1000.0)
            {
                SocketBufferBytes = (int)_random.Spread(16 * 1024, 1024 * 1024),
                PieceBytes = (int)_random.Spread(500, 64 * 1024),
                LongestRetransmission = _random.Between(TimeSpan.Zero, TimeSpan.FromSeconds(1)),
                Policy = _random.Below(12) switch { 0 => SubflowPolicy.Backup, 1 => SubflowPolicy.Metered, 2 => SubflowPolicy.Prefer, _ => SubflowPolicy.Normal },
            };
            if (_random.Chance(0.3)) path.Jitter = _random.Between(TimeSpan.Zero, TimeSpan.FromMilliseconds(60));
            if (_random.Chance(0.3)) path.UpMegabitsPerSecond = path.MegabitsPerSecond / _random.Between(2, 10);
            _paths.Add(path);
        }
    }

    private BondOptions MakeOptions(int window) => BondOptions.Default with
    {
        MemoryBudgetBytes = _random.Chance(0.5) ? 64 << 20 : _random.Spread(256 * 1024, 8 << 20),
        MaxStreams = _random.Chance(0.5) ? 65_536 : (int)_random.Between(1, 200),
        ManyStreams = _random.Chance(0.7) ? 256 : (int)_random.Between(1, 20),
        MaxStreamSendBufferBytes = _random.Chance(0.7) ? 16 << 20 : (int)_random.Spread(16 * 1024, 1 << 20),
        InitialStreamWindowBytes = window,
    };

    // ---------------------------------------------------------------- streams

    private void MakeStreams()
    {
        var rate = _paths.Sum(path => Math.Min(path.BytesPerSecond(Direction.Up), path.BytesPerSecond(Direction.Down)));
        var budget = (long)Math.Min(3_000_000, rate * 6); // of bytes, so that runs are short on slow paths and cheap on fast ones
        var opened = default(TimeSpan);
        var count = _random.Chance(0.1) ? _random.Between(100, 400) : _random.Spread(1, 30);
        for (var i = 0; i < count && budget > 0; i++)
        {
            var opener = _random.Chance(0.5) ? BondRole.Agent : BondRole.Relay;
            var there = MakeFlow(ref budget, count);
            var back = MakeFlow(ref budget, count);
            if (_random.Chance(0.5)) opened += _random.Between(TimeSpan.Zero, TimeSpan.FromMilliseconds(count > 50 ? 20 : 300));
            _network.At(opened, () => _network.Open(opener, there, back));
        }
        _faultsUntil = opened + TimeSpan.FromMilliseconds(1);
    }

    private FlowPlan MakeFlow(ref long budget, long streams)
    {
        var length = _random.Below(6) switch
        {
            0 => 0,
            1 => _random.Between(1, 2000),
            2 => _random.Spread(1, 100_000),
            _ => Math.Min(Math.Max(0, budget), _random.Spread(1, Math.Max(2, Math.Min(2_000_000, 8_000_000 / streams)))),
        };
        budget -= length;
        var plan = new FlowPlan { Length = length, PieceBytes = (int)_random.Spread(1000, 64 * 1024), ReadBytes = (int)_random.Spread(1000, 64 * 1024) };
        if (_random.Chance(0.2)) // records
            plan = plan with { Length = Math.Min(length, 100_000), PieceBytes = (int)_random.Spread(10, 4000), Interval = _random.Between(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(50)) };
        if (plan.Length / plan.PieceBytes > 300) plan = plan with { PieceBytes = (int)(plan.Length / 300) };
        if (_random.Chance(0.1)) plan = plan with { ResetAt = _random.Between(0, plan.Length) };
        if (_random.Chance(0.1)) plan = plan with { StopAt = _random.Between(0, plan.Length) };
        if (_random.Chance(0.15)) plan = plan with { ReadInterval = _random.Between(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(30)) };
        if (plan.ReadInterval > TimeSpan.Zero && plan.Length / plan.ReadBytes > 300) plan = plan with { ReadBytes = Math.Max(plan.ReadBytes, (int)(plan.Length / 300)) };
        if (_random.Chance(0.1)) plan = plan with { ReadAfter = _random.Between(TimeSpan.Zero, TimeSpan.FromSeconds(8)) };
        return plan;
    }

    // ---------------------------------------------------------------- faults

    private void MakeFaults()
    {
        var at = _random.Between(TimeSpan.Zero, TimeSpan.FromMilliseconds(500));
        var count = _random.Spread(1, 12);
        for (var i = 0; i < count; i++)
        {
            var lasts = _random.Chance(0.1) ? _random.Between(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(60)) : TimeSpan.FromMilliseconds(_random.Spread(5, 5000));
            MakeFault(at, at + lasts);
            Extend(at + lasts);
            at += TimeSpan.FromMilliseconds(_random.Spread(1, 3000));
        }
    }

    private void MakeFault(TimeSpan at, TimeSpan until)
    {
        var path = _paths[_random.Below(_paths.Count)];
        switch (_random.Below(12))
        {
            case 0 or 1 or 2:
                Silence(path, at, until, _random.Below(3));
                break;
            case 3 or 4:
                CutAndJoin(path, at, until);
                break;
            case 5:
                LoseLink(path, at, until);
                break;
            case 6:
                foreach (var each in _paths) Silence(each, at + _random.Between(TimeSpan.Zero, TimeSpan.FromMilliseconds(100)), until, 0);
                break;
            case 7:
                foreach (var each in _paths) CutAndJoin(each, at, until);
                break;
            case 8:
                var lateEnd = AnyEnd();
                var late = _random.Between(TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(500));
                _network.At(at, lateEnd.Stop);
                _network.At(at + late, lateEnd.Wake);
                break;
            case 9:
                var sleeper = AnyEnd();
                _network.At(at, _random.Chance(0.5) ? sleeper.Suspend : sleeper.Stop);
                _network.At(until, sleeper.Wake);
                break;
            case 10:
                var (rate, roundTrip) = (path.MegabitsPerSecond, path.RoundTrip);
                var (rateFactor, delayFactor) = (_random.Spread(100, 4000) / 1000.0, _random.Spread(300, 4000) / 1000.0);
                _network.At(at, () => (path.MegabitsPerSecond, path.RoundTrip) = (rate * rateFactor, roundTrip * delayFactor));
                _network.At(until, () => (path.MegabitsPerSecond, path.RoundTrip) = (rate, roundTrip));
                break;
            default: // flaps
                for (var flap = 0; flap < 6; flap++)
                {
                    Silence(path, at, at + TimeSpan.FromMilliseconds(300), 0);
                    at += TimeSpan.FromMilliseconds(600);
                }
                Extend(at);
                break;
        }
    }

    private void Silence(SimulatedPath path, TimeSpan at, TimeSpan until, int which)
    {
        if (at >= until) return;
        _network.At(at, () => _network.Silence(path, up: which != 1, down: which != 2));
        _network.At(until, () => _network.Heal(path));
    }

    private void CutAndJoin(SimulatedPath path, TimeSpan at, TimeSpan until)
    {
        var (agentAfter, relayAfter) = (_random.Between(TimeSpan.Zero, TimeSpan.FromMilliseconds(500)), _random.Between(TimeSpan.Zero, TimeSpan.FromSeconds(3)));
        _network.At(at, () =>
        {
            _lost.Add(path);
            foreach (var connection in ConnectionsOf(path)) _network.Cut(connection, agentAfter, relayAfter);
        });
        _network.At(until, () =>
        {
            _lost.Remove(path);
            if (ConnectionsOf(path).Length == 0) Join(path);
        });
    }

    private void LoseLink(SimulatedPath path, TimeSpan at, TimeSpan until)
    {
        _network.At(at, () =>
        {
            _network.Silence(path);
            foreach (var connection in ConnectionsOf(path)) _network.Agent.LoseLink(connection, SubflowReason.Carrier);
        });
        _network.At(until, () =>
        {
            _network.Heal(path);
            foreach (var connection in ConnectionsOf(path)) _network.Agent.RestoreLink(connection);
        });
    }

    /// <summary>The agent's user changes their mind, at times before the tunnel is used.</summary>
    private void MakeChanges()
    {
        var at = default(TimeSpan);
        for (var count = _random.Spread(1, 8); count > 0; count--)
        {
            at += TimeSpan.FromMilliseconds(_random.Spread(1, 3000));
            var (mode, policy, path) = ((BondMode)_random.Below(4), (SubflowPolicy)_random.Below(4), _paths[_random.Below(_paths.Count)]);
            if (_random.Chance(0.5))
            {
                _network.At(at, () => _network.Agent.Do((bond, now) => bond.ChangeMode(mode, now)));
                continue;
            }
            _network.At(at, () =>
            {
                path.Policy = policy;
                foreach (var connection in ConnectionsOf(path))
                    if (_network.Agent.SubflowOf(connection) is { } subflow) _network.Agent.Do((bond, now) => bond.ChangePolicy(subflow, policy, now));
            });
        }
        Extend(at);
    }

    /// <summary>As the real driver: a new connection beside the dead one, which goes when the new one has joined.</summary>
    private void Redial(SimulatedConnection dead)
    {
        var path = dead.Path;
        if (dead.IsCut || _lost.Contains(path)) return;
        if (path.IsSilent(Direction.Up) || path.IsSilent(Direction.Down))
        {
            _network.After(TimeSpan.FromMilliseconds(500), () => Redial(dead));
            return;
        }
        if (_network.Agent.SubflowOf(dead) is not { State: not SubflowState.Active }) return;
        Join(path);
        _network.Cut(dead, relayAfter: path.RoundTrip);
    }

    private void Join(SimulatedPath path)
    {
        var way = path.RoundTrip / 2;
        if (_random.Chance(0.5)) _network.Join(path, relayAfter: way * 3, agentAfter: way * 4);
        else _network.Join(path, relayAfter: way * 3, agentAfter: way * 2);
    }

    private SimulatedConnection[] ConnectionsOf(SimulatedPath path) => [.. _network.Connections.Where(connection => connection.Path == path)];

    private SimulatedEnd AnyEnd() => _random.Chance(0.5) ? _network.Agent : _network.Relay;

    private void Extend(TimeSpan until)
    {
        if (until > _faultsUntil) _faultsUntil = until;
    }
}
