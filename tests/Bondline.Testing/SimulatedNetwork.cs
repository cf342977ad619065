namespace Bondline.Testing;

/// <summary>An agent's and a relay's bond joined by simulated paths in virtual time. The same seed and calls give the same run, event for event.</summary>
public sealed class SimulatedNetwork
{
    private readonly List<SimulatedConnection> _connections = [];
    private readonly List<StreamRun> _runs = [];
    private readonly Dictionary<ulong, StreamRun> _runsById = [];
    private readonly ulong _seed;
    private ulong _nextSubflow;
    private int _over;

    /// <param name="seed">Of all randomness of the run.</param>
    /// <param name="paths">The agent's networks; a connection over each joins at the start.</param>
    /// <param name="agentOptions">The agent's limits; the default ones if null.</param>
    /// <param name="relayOptions">The relay's; the agent's if null.</param>
    /// <param name="recordLength">What a driver offers to fill at once.</param>
    /// <param name="record">Where both bonds are written down, if they are: the agent's is the first.</param>
    public SimulatedNetwork(ulong seed, IReadOnlyList<SimulatedPath> paths, BondOptions? agentOptions = null, BondOptions? relayOptions = null, int recordLength = 128 * 1024, IBondRecord? record = null)
    {
        _seed = seed;
        Random = new(seed);
        Paths = paths;
        Segments = new();
        agentOptions ??= BondOptions.Default;
        relayOptions ??= agentOptions;
        Agent = new(this, BondRole.Agent, agentOptions with { Segments = Segments }, recordLength, seed, record);
        Relay = new(this, BondRole.Relay, relayOptions with { Segments = Segments }, recordLength, ~seed, record);
        foreach (var path in paths) Join(path);
        Started = Now;
    }

    public IReadOnlyList<SimulatedPath> Paths { get; }

    public SimulatedEnd Agent { get; }

    public SimulatedEnd Relay { get; }

    /// <summary>The memory of both bonds' streams.</summary>
    public SegmentPool Segments { get; }

    public Instant Now => Clock.Now;

    public TimeSpan Elapsed => Now - default(Instant);

    public IReadOnlyList<StreamRun> Streams => _runs;

    /// <summary>Connections that are not cut.</summary>
    public IReadOnlyList<SimulatedConnection> Connections => _connections;

    public ulong Trace => Clock.Trace;

    /// <summary>False where a test lets one end break the rules: then its errors end the bond and not the test.</summary>
    public bool IsPeerTrusted { get; set; } = true;

    internal SimulatedClock Clock { get; } = new();

    internal SeededRandom Random { get; }

    internal Instant Started { get; }

    // ---------------------------------------------------------------- what a test does

    /// <summary>Opens a stream now.</summary>
    public StreamRun Open(BondRole opener, FlowPlan toPeer, FlowPlan? fromPeer = null)
    {
        var (here, there) = opener == BondRole.Agent ? (Agent, Relay) : (Relay, Agent);
        var run = new StreamRun(new(this, toPeer, here, there, Random.Next()), new(this, fromPeer ?? FlowPlan.Nothing, there, here, Random.Next()));
        _runs.Add(run);
        here.Open(run);
        return run;
    }

    public void At(TimeSpan time, Action action) => Clock.Add(default(Instant) + time, action);

    public void After(TimeSpan time, Action action) => Clock.Add(Now + time, action);

    /// <summary>Nothing passes a path in these directions until it heals; bytes wait, as under TCP.</summary>
    public void Silence(SimulatedPath path, bool up = true, bool down = true)
    {
        path.IsSilentUp |= up;
        path.IsSilentDown |= down;
        foreach (var connection in _connections)
        {
            if (connection.Path != path) continue;
            if (up) connection.Up.Silence();
            if (down) connection.Down.Silence();
        }
    }

    public void Heal(SimulatedPath path)
    {
        path.IsSilentUp = path.IsSilentDown = false;
        foreach (var connection in _connections)
        {
            if (connection.Path != path) continue;
            connection.Up.Heal(Random.Between(TimeSpan.Zero, path.LongestRetransmission));
            connection.Down.Heal(Random.Between(TimeSpan.Zero, path.LongestRetransmission));
        }
    }

    /// <summary>A new connection over a path: the relay has it one way earlier than the agent.</summary>
    public SimulatedConnection Join(SimulatedPath path, TimeSpan relayAfter = default, TimeSpan agentAfter = default)
    {
        var connection = new SimulatedConnection(new(_nextSubflow++), path, this);
        _connections.Add(connection);
        if (path.IsSilentUp) connection.Up.Silence();
        if (path.IsSilentDown) connection.Down.Silence();
        Soon(relayAfter, () => Attach(Relay, connection.RelayPort));
        Soon(agentAfter, () => Attach(Agent, connection.AgentPort));
        return connection;
    }

    /// <summary>The connection is gone with all it carried; each end learns of it in its own time.</summary>
    public void Cut(SimulatedConnection connection, TimeSpan agentAfter = default, TimeSpan relayAfter = default)
    {
        if (!_connections.Remove(connection)) return;
        connection.Up.Cut();
        connection.Down.Cut();
        Soon(agentAfter, () => Agent.Detach(connection.AgentPort));
        Soon(relayAfter, () => Relay.Detach(connection.RelayPort));
    }

    /// <summary>Runs to an instant.</summary>
    public void RunUntil(TimeSpan time)
    {
        var until = default(Instant) + time;
        while (Clock.TryRunNext(until))
        {
        }
        Clock.Advance(until);
    }

    public void RunFor(TimeSpan time) => RunUntil(Elapsed + time);

    /// <summary>Runs until every stream is over at both ends.</summary>
    /// <param name="within">Longer than this and something is stuck.</param>
    public void RunUntilIdle(TimeSpan? within = null)
    {
        var until = Now + (within ?? TimeSpan.FromSeconds(60));
        while (_over < _runs.Count)
            if (!Clock.TryRunNext(until)) throw Fail($"not over after {(until - default(Instant)).TotalSeconds:0} s:\n{Describe()}");
        CheckNothingIsLeft();
    }

    /// <summary>After all streams are over, neither bond holds any of them or their bytes.</summary>
    public void CheckNothingIsLeft()
    {
        foreach (var run in _runs)
        {
            run.ToPeer.CheckOver();
            run.FromPeer.CheckOver();
        }
        foreach (var end in (ReadOnlySpan<SimulatedEnd>)[Agent, Relay])
        {
            if (end.Bond.Statistics is { Streams: not 0 } or { BufferedBytes: not 0 }) throw Fail($"{end.Bond.Role} holds {end.Bond.Statistics.Streams} streams and {end.Bond.Statistics.BufferedBytes} bytes in the end");
        }
        if (Segments.RentedBytes != 0) throw Fail($"{Segments.RentedBytes} bytes of segments were not returned");
    }

    /// <summary>An error that names the seed and the state.</summary>
    public Exception Fail(string what) => new SimulationException($"seed {_seed} at {Now}: {what}");

    // ---------------------------------------------------------------- inside

    internal void HandleOpened(StreamRun run, StreamEndpoint stream, SimulatedEnd end, Instant now)
    {
        run.Id = stream.Id;
        _runsById.Add(stream.Id.Value, run);
        stream.Owner = run;
        run.ToPeer.Sender = stream;
        run.FromPeer.Receiver = stream;
        run.FromPeer.PumpReader(end, now);
        run.ToPeer.PumpWriter(end, now);
    }

    internal SimulatedEnd PeerOf(SimulatedEnd end) => end == Agent ? Relay : Agent;

    /// <summary>Segments are full but for the first and the last of what a stream holds in each direction, and for what a sender counts as wasted.</summary>
    internal void CheckSegments()
    {
        long most = 0;
        foreach (var end in (ReadOnlySpan<SimulatedEnd>)[Agent, Relay])
            most += end.Bond.BufferedReceiveBytes + end.Bond.Streams.Open.Sum(stream => stream.Sending.HeldBytes) + end.Bond.Streams.Count * 2L * (SegmentPool.LargeLength + SegmentPool.MediumLength);
        if (Segments.RentedBytes > most) throw Fail($"{Segments.RentedBytes} bytes of segments are rented; what is held needs at most {most}");
    }

    internal void HandleStreamEvent(SimulatedEnd end, in BondEvent bondEvent, Instant now)
    {
        var stream = bondEvent.Stream!;
        if (bondEvent.Kind == BondEventKind.StreamOpened)
        {
            var opened = _runsById[stream.Id.Value];
            stream.Owner = opened;
            opened.ToPeer.Receiver = stream;
            opened.FromPeer.Sender = stream;
            opened.FromPeer.PumpWriter(end, now);
            opened.ToPeer.PumpReader(end, now);
            return;
        }
        var run = (StreamRun)stream.Owner!;
        var incoming = run.ToPeer.To == end ? run.ToPeer : run.FromPeer;
        var outgoing = run.ToPeer.To == end ? run.FromPeer : run.ToPeer;
        switch (bondEvent.Kind)
        {
            case BondEventKind.StreamReadable:
                incoming.PumpReader(end, now);
                break;
            case BondEventKind.StreamWritable:
                outgoing.PumpWriter(end, now);
                break;
            case BondEventKind.StreamReset:
                incoming.HandleReset((StreamError)bondEvent.Code);
                break;
            case BondEventKind.StreamStopped:
                outgoing.HandleStopped((StreamError)bondEvent.Code);
                break;
            case BondEventKind.StreamClosed:
                incoming.NoteEnd(stream);
                if (++run.ClosedEnds == 2) _over++;
                break;
        }
    }

    internal void PumpAll(SimulatedEnd end, Instant now)
    {
        foreach (var run in _runs)
        {
            foreach (var flow in (ReadOnlySpan<Flow>)[run.ToPeer, run.FromPeer])
            {
                if (flow.From == end) flow.PumpWriter(end, now);
                if (flow.To == end) flow.PumpReader(end, now);
            }
        }
        end.Service();
    }

    /// <summary>The state of both ends, for failures.</summary>
    public string Describe()
    {
        var text = new System.Text.StringBuilder();
        foreach (var run in _runs.Where(run => !run.IsOver).Take(8)) text.AppendLine($"  {run}");
        foreach (var end in (ReadOnlySpan<SimulatedEnd>)[Agent, Relay])
        {
            text.AppendLine($"  {end.Bond.Role}: {end.Bond.Statistics}, next timeout {end.Bond.NextTimeout}");
            foreach (var port in end.Ports)
                text.AppendLine($"    {port.Subflow} {port.Subflow!.Reason} on {port.Connection.Path}{(port.IsWriting ? ", writing" : "")}: {port.Subflow.UnackedBytes} of {port.Subflow.CapBytes} unacked, {port.Subflow.Control.Count} control, link up {(port.Connection.Path.IsSilentUp ? "silent" : "ok")}, down {(port.Connection.Path.IsSilentDown ? "silent" : "ok")}");
        }
        return text.ToString();
    }

    private static void Attach(SimulatedEnd end, SimulatedPort port)
    {
        if (!port.Connection.IsCut) end.Attach(port);
    }

    private void Soon(TimeSpan after, Action action)
    {
        if (after == default) action();
        else After(after, action);
    }
}

/// <summary>A simulated run broke a rule; the message names the seed.</summary>
public sealed class SimulationException(string message) : Exception(message);
