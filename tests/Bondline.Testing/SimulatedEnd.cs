namespace Bondline.Testing;

/// <summary>A driver of a bond as the real one: one lock's worth of work per input, then every idle subflow is polled, events drained, one deadline armed.</summary>
public sealed class SimulatedEnd : IEventTarget
{
    private const int TimerFired = 1;

    /// <summary>More timeouts than this in a virtual second is a timer that spins.</summary>
    private const int MaxTimeoutsPerSecond = 4000;

    /// <summary>Looking at every stream each time would take longer than the bond does.</summary>
    private const int ServicesPerCheck = 16;

    private readonly SimulatedNetwork _network;
    private readonly List<SimulatedPort> _ports = [];
    private readonly byte[] _record;
    private readonly byte[] _scratch = new byte[64 * 1024];
    private readonly Queue<StreamRun> _waitingToOpen = new();
    private Instant _armedFor = Instant.Never, _scheduledFor = Instant.Never;
    private long _timeoutSecond, _timeoutsInSecond, _services;
    private bool _isServicing, _isFrozen, _isSuspended;
    private readonly List<SimulatedPort> _attachOnWake = [];
    private Instant _frozenSince;
    private TimeSpan _slept;

    internal SimulatedEnd(SimulatedNetwork network, BondRole role, BondOptions options, int recordLength, ulong seed, IBondRecord? record)
    {
        _network = network;
        _record = new byte[recordLength];
        Bond = record is null ? new Bond(role, options, seed) : new RecordedBond(role, options, seed, record, Now);
    }

    public Bond Bond { get; }

    /// <summary>How late its timer fires, at most.</summary>
    public TimeSpan TimerLateness { get; set; }

    /// <summary>Events other than those of streams, for tests that look at them.</summary>
    public Action<BondEvent>? Observed { get; set; }

    /// <summary>Called for each write to a subflow, with its length.</summary>
    public Action<Subflow, int>? Wrote { get; set; }

    /// <summary>A subflow is dead and wants a replacement; tests that dial set it.</summary>
    public Action<SimulatedConnection>? Died { get; set; }

    /// <summary>The error the bond closed itself with, if the peer broke the protocol.</summary>
    public ProtocolException? Failure { get; private set; }

    public long Timeouts { get; private set; }

    internal IReadOnlyList<SimulatedPort> Ports => _ports;

    internal byte[] Scratch => _scratch;

    /// <summary>The end's own clock: it stands while the machine sleeps.</summary>
    private Instant Now => (_isSuspended ? _frozenSince : _network.Now) - _slept;

    // ---------------------------------------------------------------- subflows

    internal void Attach(SimulatedPort port)
    {
        if (_isFrozen)
        {
            _attachOnWake.Add(port);
            return;
        }
        port.Subflow = Bond.AddSubflow(port.Connection.Id, port.Connection.Path.Policy, port.Connection.Path.RoundTrip, Now);
        port.Subflow.Owner = port;
        _ports.Add(port);
        port.Input.Receiver = port;
        port.Output.Sender = port;
        Receive(port);
        Service();
    }

    internal void Detach(SimulatedPort port)
    {
        _attachOnWake.Remove(port);
        if (!_ports.Remove(port)) return;
        Bond.RemoveSubflow(port.Subflow!, Now);
        port.Input.Receiver = null;
        Service();
    }

    public void LoseLink(SimulatedConnection connection, SubflowReason why)
    {
        if (PortOf(connection) is not { } port) return;
        Bond.HandleLinkLost(port.Subflow!, why, Now);
        Service();
    }

    public void RestoreLink(SimulatedConnection connection)
    {
        if (PortOf(connection) is not { } port) return;
        Bond.HandleLinkRestored(port.Subflow!, Now);
        Service();
    }

    public Subflow? SubflowOf(SimulatedConnection connection) => PortOf(connection)?.Subflow;

    /// <summary>The process is stopped, as by SIGSTOP: nothing is read, written or timed until <see cref="Wake"/>, and its clock goes on.</summary>
    public void Stop() => Freeze(isSuspend: false);

    /// <summary>The machine sleeps: nothing is read, written or timed until <see cref="Wake"/>, and its clock stands.</summary>
    public void Suspend() => Freeze(isSuspend: true);

    /// <summary>Ends <see cref="Stop"/> or <see cref="Suspend"/>: the end hears of it as from the real driver.</summary>
    public void Wake()
    {
        if (!_isFrozen) return;
        var stood = _network.Now - _frozenSince;
        if (_isSuspended) _slept += stood;
        var wasSuspended = _isSuspended;
        _isFrozen = _isSuspended = false;
        if (!wasSuspended) Bond.HandleClockLate(stood, Now);
        else if (stood > TimeSpan.FromSeconds(2)) Bond.HandleResumedFromSuspend(Now);
        foreach (var port in _ports) Receive(port);
        Bond.HandleTimeout(Now);
        foreach (var port in _attachOnWake.ToArray()) Attach(port);
        _attachOnWake.Clear();
        OpenWaiting();
        _network.PumpAll(this, Now);
    }

    private void Freeze(bool isSuspend)
    {
        if (_isFrozen) return;
        (_isFrozen, _isSuspended, _frozenSince) = (true, isSuspend, _network.Now);
    }

    // ---------------------------------------------------------------- input

    internal void HandleArrived(SimulatedPort port)
    {
        if (_isFrozen || port.Subflow is null) return;
        Receive(port);
        Service();
    }

    internal void HandleWritten(SimulatedPort port)
    {
        port.IsWriting = false;
        if (!_isFrozen) Service();
    }

    public void Run(int kind, long argument)
    {
        if (argument != _scheduledFor.Microseconds) return; // a later event replaced it
        _scheduledFor = Instant.Never;
        if (_isFrozen) return;
        if (Now >= _armedFor)
        {
            CountTimeout();
            Bond.HandleTimeout(Now);
            Service();
        }
        else
        {
            Arm();
        }
    }

    private void Receive(SimulatedPort port)
    {
        if (Failure is not null) return;
        try
        {
            var input = port.Input.Readable;
            if (input.IsEmpty) return;
            var consumed = Bond.HandleReceived(port.Subflow!, input, Now);
            port.Input.Consume(consumed);
            if (input.Length - consumed >= Frame.MaxLength) throw _network.Fail($"{Bond.Role} left {input.Length - consumed} bytes of a subflow, which is more than a frame");
        }
        catch (ProtocolException error)
        {
            Failure = error;
            Bond.Close(error.Error, error.Message, Now);
            if (_network.IsPeerTrusted) throw _network.Fail($"{Bond.Role} found a protocol error: {error.Error}: {error.Message}");
        }
    }

    // ---------------------------------------------------------------- streams

    internal void Open(StreamRun run)
    {
        _waitingToOpen.Enqueue(run);
        if (_isFrozen) return;
        OpenWaiting();
        Service();
    }

    /// <summary>Runs an operation of a test on the bond and what follows from it.</summary>
    public void Do(Action<Bond, Instant> operation)
    {
        operation(Bond, Now);
        Service();
    }

    internal void Pump(Flow flow, bool isWriter)
    {
        if (_isFrozen) return;
        if (isWriter) flow.PumpWriter(this, Now);
        else flow.PumpReader(this, Now);
        Service();
    }

    private void OpenWaiting()
    {
        while (_waitingToOpen.TryPeek(out var run))
        {
            if (Bond.TryOpenStream(Now) is not { } stream) return;
            _waitingToOpen.Dequeue();
            _network.HandleOpened(run, stream, this, Now);
        }
    }

    // ---------------------------------------------------------------- the driver's loop

    internal void Service()
    {
        if (_isServicing || _isFrozen) return;
        _isServicing = true;
        do Poll();
        while (DrainEvents());
        _isServicing = false;
        CheckBudgets();
        Arm();
    }

    private void Poll()
    {
        for (var hasWritten = true; hasWritten;)
        {
            hasWritten = false;
            for (var i = 0; i < _ports.Count; i++)
            {
                var port = _ports[i];
                if (port.IsWriting) continue;
                var length = Bond.PollTransmit(port.Subflow!, Now, _record);
                if (length == 0) continue;
                hasWritten = true;
                Wrote?.Invoke(port.Subflow!, length);
                _network.Clock.Record((ulong)Bond.Role, port.Connection.Id.Value, (ulong)length);
                port.IsWriting = !port.Output.Write(_record.AsSpan(0, length));
            }
        }
    }

    private bool DrainEvents()
    {
        var any = false;
        while (Bond.TryPollEvent(out var bondEvent))
        {
            any = true;
            _network.Clock.Record((ulong)bondEvent.Kind, bondEvent.Stream?.Id.Value ?? 0, bondEvent.Code);
            if (bondEvent.Stream is not null) _network.HandleStreamEvent(this, bondEvent, Now);
            else HandleOtherEvent(bondEvent);
        }
        return any;
    }

    private void HandleOtherEvent(in BondEvent bondEvent)
    {
        Observed?.Invoke(bondEvent);
        switch (bondEvent.Kind)
        {
            case BondEventKind.StreamsAvailable:
                OpenWaiting();
                break;
            case BondEventKind.SubflowDead:
                Died?.Invoke(((SimulatedPort)bondEvent.Subflow!.Owner!).Connection);
                break;
        }
    }

    private void Arm()
    {
        _armedFor = Bond.NextTimeout;
        if (_armedFor == Instant.Never || _armedFor >= _scheduledFor) return;
        var at = Instant.Later(_armedFor, Now);
        if (TimerLateness > TimeSpan.Zero) at += _network.Random.Between(TimeSpan.Zero, TimerLateness);
        _scheduledFor = at;
        _network.Clock.Add(at + _slept, this, TimerFired, at.Microseconds);
    }

    private void CountTimeout()
    {
        Timeouts++;
        var second = Now.Microseconds / 1_000_000;
        if (second != _timeoutSecond) _timeoutsInSecond = 0;
        _timeoutSecond = second;
        if (++_timeoutsInSecond > MaxTimeoutsPerSecond) throw _network.Fail($"{Bond.Role} had over {MaxTimeoutsPerSecond} timeouts in a second; next {Bond.NextTimeout}\n{_network.Describe()}");
    }

    private void CheckBudgets()
    {
        var budget = Math.Max(Bond.Options.MemoryBudgetBytes, Bond.InitialDataMaximum);
        if (Bond.BufferedReceiveBytes > budget) throw _network.Fail($"{Bond.Role} holds {Bond.BufferedReceiveBytes} received bytes; the budget is {budget}");
        if (++_services % ServicesPerCheck == 0 && !Bond.IsClosed) CheckSending();
    }

    /// <summary>What is held to send again follows from the peer's windows, the rest from the limit of each stream.</summary>
    private void CheckSending()
    {
        long held = 0, unacked = 0;
        foreach (var stream in Bond.Streams.Open)
        {
            var length = (long)(stream.Sending.End - stream.Sending.Start);
            // A segment may be begun when there is room for a byte.
            var most = Bond.Options.MaxStreamSendBufferBytes + SegmentPool.LargeLength;
            if (length > Bond.Options.MaxStreamSendBufferBytes || stream.Sending.HeldBytes > most) throw _network.Fail($"{Bond.Role} holds {length} bytes of {stream.Id} to send, in {stream.Sending.HeldBytes} bytes of memory; the limit is {Bond.Options.MaxStreamSendBufferBytes}");
            held += length;
            unacked += length - (long)stream.UnsentBytes;
        }
        if (held != Bond.BufferedSendBytes) throw _network.Fail($"{Bond.Role} holds {held} bytes to send and says {Bond.BufferedSendBytes}");
        // One window is under way, and one more where the peer's readers were quicker than its acknowledgements.
        var window = Math.Max(_network.PeerOf(this).Bond.Options.MemoryBudgetBytes, Bond.InitialDataMaximum);
        if (unacked > 2 * window && _network.IsPeerTrusted) throw _network.Fail($"{Bond.Role} holds {unacked} bytes to send again; the peer's window is {window}");
        _network.CheckSegments();
    }

    private SimulatedPort? PortOf(SimulatedConnection connection)
    {
        foreach (var port in _ports)
            if (ReferenceEquals(port.Connection, connection)) return port;
        return null;
    }
}

/// <summary>One end's side of a connection.</summary>
internal sealed class SimulatedPort(SimulatedConnection connection, SimulatedEnd end, SimulatedLink output, SimulatedLink input)
{
    public SimulatedConnection Connection { get; } = connection;

    public SimulatedLink Output { get; } = output;

    public SimulatedLink Input { get; } = input;

    public Subflow? Subflow { get; set; }

    public bool IsWriting { get; set; }

    public void HandleArrived() => end.HandleArrived(this);

    public void HandleWritten() => end.HandleWritten(this);
}

/// <summary>A subflow's connection over a path: both ends and both directions.</summary>
public sealed class SimulatedConnection
{
    internal SimulatedConnection(SubflowId id, SimulatedPath path, SimulatedNetwork network)
    {
        Id = id;
        Path = path;
        Up = new(network.Clock, path, Direction.Up, network.Random);
        Down = new(network.Clock, path, Direction.Down, network.Random);
        AgentPort = new(this, network.Agent, Up, Down);
        RelayPort = new(this, network.Relay, Down, Up);
    }

    public SubflowId Id { get; }

    public SimulatedPath Path { get; }

    public bool IsCut => Up.IsCut;

    /// <summary>Bytes that arrived over it.</summary>
    public long BytesDelivered(Direction direction) => (direction == Direction.Up ? Up : Down).BytesDelivered;

    internal SimulatedLink Up { get; }

    internal SimulatedLink Down { get; }

    internal SimulatedPort AgentPort { get; }

    internal SimulatedPort RelayPort { get; }
}
