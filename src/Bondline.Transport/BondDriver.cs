using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Threading.Channels;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Runs one bond: one lock around the engine, under which there is only computing; writes, wake-ups and logs happen after it is released.</summary>
internal sealed class BondDriver : IDeadlineOwner
{
    // While a subflow carries something the kernel is asked about it so often.
    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan FarewellTime = TimeSpan.FromSeconds(1);

    private readonly Deadline _deadline;
    private readonly IBondObserver? _observer;
    private readonly Channel<BondStream> _accepted = Channel.CreateUnbounded<BondStream>(); // bounded by the engine's limit of streams
    private readonly TaskCompletionSource<BondEnd> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Under Gate.
    private SubflowPump[] _pumps = [];
    private BondStream? _firstStream;
    private TaskCompletionSource? _streamsAvailable;
    private TaskCompletionSource? _quiet; // set once the bond is over
    private Instant _armed = Instant.Never;
    private Instant? _silentSince;
    private TimeSpan _lateSeen; // of what the deadline thread was late

    public BondDriver(BondRole role, BondId id, BondOptions options, TransportContext context, IBondObserver? observer)
    {
        (Id, Context, _observer) = (id, context, observer);
        var seed = MemoryMarshal.Read<ulong>(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        Bond = context.Record is { } record ? new RecordedBond(role, options, seed, record, context.Clock.Now) : new Bond(role, options, seed);
        _lateSeen = context.Deadlines.Late; // before there was a bond
        _silentSince = context.Clock.Now;
        _deadline = context.Deadlines.Register(this);
    }

    public Lock Gate { get; } = new();

    /// <summary>Only under <see cref="Gate"/>.</summary>
    public Bond Bond { get; }

    public BondId Id { get; }

    public TransportContext Context { get; }

    public Task<BondEnd> Completion => _completion.Task;

    /// <summary>Completes after <see cref="Completion"/>, when the peer was told or could not be and all sockets are closed.</summary>
    public Task Closed => _closed.Task;

    /// <summary>The observer is told of a subflow that carried so much in one direction.</summary>
    public long WornAfterBytes { get; init; } = long.MaxValue;

    /// <summary>How the bond ended; null while it lives. Under the lock.</summary>
    public BondEnd? End { get; private set; }

    /// <summary>How long no subflow has been alive; null while one is.</summary>
    public TimeSpan? SilentFor
    {
        get
        {
            lock (Gate) return _silentSince is { } since ? Context.Clock.Now.Since(since) : null;
        }
    }

    /// <summary>The subflows as they are now; a copy nobody changes.</summary>
    public IReadOnlyList<SubflowPump> Pumps => Volatile.Read(ref _pumps);

    /// <summary>Adds an authenticated connection. The caller then runs the pump and awaits it; a held one writes nothing before <see cref="Release"/>.</summary>
    /// <returns>Null if the bond is over.</returns>
    /// <exception cref="ProtocolException">The bond does not take it: too many subflows, or a used id.</exception>
    public SubflowPump? TryAttach(SubflowSocket socket, SubflowId id, SubflowPolicy policy, TimeSpan rtt, string path, bool isHeld = false, SubflowId handle = default)
    {
        var pump = new SubflowPump(this, socket, path) { Handle = handle };
        var work = DriverWork.Take();
        try
        {
            lock (Gate)
            {
                if (End is not null) return null;
                var now = Context.Clock.Now;
                (Bond as RecordedBond)?.NamePath(id, path, now);
                pump.Subflow = Bond.AddSubflow(id, policy, rtt, now, socket.IsMultipath);
                pump.Subflow.Owner = pump;
                if (isHeld) pump.Hold();
                _pumps = [.. _pumps, pump];
                Collect(work, now);
            }
        }
        catch (Exception bug) when (bug is not ProtocolException)
        {
            lock (Gate) _pumps = [.. _pumps.Where(other => other != pump)]; // nobody will run it
            FailUnexpected("new subflow of a bond", bug);
            return null;
        }

        work.Run(this);
        Context.Log.SubflowJoined(Id, id, path, rtt);
        return pump;
    }

    /// <summary>Lets a held pump write.</summary>
    public void Release(SubflowPump pump)
    {
        if (StageNext(pump)) pump.WriteInline();
    }

    /// <summary>Drops the subflow that has been dead for longest if there is no room for another: its connection may never learn that the agent closed it.</summary>
    public void MakeRoom()
    {
        SubflowPump? dead = null;
        lock (Gate)
        {
            if (_pumps.Length < Bond.Options.MaxSubflows) return;
            foreach (var pump in _pumps)
                if (pump.Subflow.State == SubflowState.Dead && (dead is null || pump.Subflow.LastProgress < dead.Subflow.LastProgress))
                    dead = pump;
        }

        if (dead is null) return;
        dead.Abort("replaced");
        Remove(dead);
    }

    /// <summary>The pump's connection is over: what it had unacknowledged goes another way.</summary>
    public void Remove(SubflowPump pump)
    {
        var work = DriverWork.Take();
        bool isSilent;
        try
        {
            lock (Gate)
            {
                if (!_pumps.Contains(pump)) return;
                _pumps = [.. _pumps.Where(other => other != pump)];
                isSilent = _pumps.Length == 0 && End is null;
                var now = Context.Clock.Now;
                if (End is null) Bond.RemoveSubflow(pump.Subflow, now);
                Collect(work, now);
            }
        }
        catch (Exception bug)
        {
            FailUnexpected("end of a subflow", bug);
            return;
        }

        work.Run(this);
        Context.Log.SubflowEnded(Id, pump.Subflow.Id, pump.Path, pump.Ending);
        if (isSilent) Context.Log.BondSilent(Id);
    }

    /// <summary>Its carrier, address or route is gone: its data goes another way at once; the connection stays until it is replaced.</summary>
    public void HandleLinkLost(SubflowPump pump, SubflowReason why) => Change((Pump: pump, Why: why), static (lost, _, now) =>
    {
        if (!lost.Pump.IsOver) lost.Pump.Driver.Bond.HandleLinkLost(lost.Pump.Subflow, lost.Why, now);
    });

    /// <summary>What was lost is back: the connection is tried again.</summary>
    public void HandleLinkRestored(SubflowPump pump) => Change(pump, static (pump, _, now) =>
    {
        if (!pump.IsOver) pump.Driver.Bond.HandleLinkRestored(pump.Subflow, now);
    });

    /// <summary>The subflow is used otherwise from now on, by both ends.</summary>
    public void ChangePolicy(SubflowPump pump, SubflowPolicy policy) => Change((Pump: pump, Policy: policy), static (change, _, now) =>
    {
        if (!change.Pump.IsOver) change.Pump.Driver.Bond.ChangePolicy(change.Pump.Subflow, change.Policy, now);
    });

    /// <summary>The subflows are used together in another way from now on, by both ends.</summary>
    /// <param name="newest">Asked under the lock, so that of two changes at once the later one stays.</param>
    public void ChangeMode(Func<BondMode> newest) => Change((Driver: this, Newest: newest), static (change, _, now) => change.Driver.Bond.ChangeMode(change.Newest(), now));

    /// <returns>Bytes consumed.</returns>
    /// <exception cref="ProtocolException">The peer broke the protocol: the bond must end.</exception>
    public int HandleReceived(SubflowPump pump, ReadOnlySpan<byte> input)
    {
        var work = DriverWork.Take();
        int consumed;
        lock (Gate)
        {
            if (End is not null) return input.Length;
            var now = Context.Clock.Now;
            NoteLateness(isDeadlineLate: false, now);
            consumed = Bond.HandleReceived(pump.Subflow, input, now);
            Collect(work, now);
        }

        work.Run(this, continuesInline: true);
        return consumed;
    }

    /// <summary>Computes with the engine under the lock, then does what came of it; nothing happens once the bond is over. A bug ends the bond.</summary>
    public void Change<TState>(TState state, Action<TState, DriverWork, Instant> compute)
    {
        var work = DriverWork.Take();
        try
        {
            lock (Gate)
            {
                if (End is null)
                {
                    var now = Context.Clock.Now;
                    compute(state, work, now);
                    Collect(work, now);
                }
            }
        }
        catch (Exception bug) when (bug is not BondStreamException)
        {
            FailUnexpected("change to a bond", bug);
            throw;
        }

        work.Run(this);
    }

    /// <summary>The pump's write begins.</summary>
    public void TopUp(SubflowPump pump)
    {
        var work = DriverWork.Take();
        lock (Gate)
        {
            var now = Context.Clock.Now;
            pump.TopUp(now);
            Collect(work, now);
        }

        work.Run(this);
    }

    /// <summary>The pump's write is done.</summary>
    /// <returns>True if the next one is staged for it.</returns>
    public bool StageNext(SubflowPump pump)
    {
        var work = DriverWork.Take();
        bool isStaged;
        lock (Gate)
        {
            var now = Context.Clock.Now;
            isStaged = pump.TryStageNext(now);
            Collect(work, now);
        }

        work.Run(this);
        return isStaged;
    }

    /// <summary>Opens a stream; waits while the peer's limit is reached.</summary>
    /// <exception cref="BondStreamException">The bond is over.</exception>
    public async ValueTask<BondStream> OpenStreamAsync(StreamHeader header, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(2048); // a header has at most 1 KiB
        try
        {
            var length = header.Write(buffer);
            while (true)
            {
                if (TryOpenStream(header, buffer.AsSpan(0, length), out var written, out var wait) is not { } stream)
                {
                    await wait.WaitAsync(cancellationToken);
                    continue;
                }

                // A full bond takes the header in parts.
                if (written < length) await stream.WriteAsync(buffer.AsMemory(written, length - written), cancellationToken);
                return stream;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <returns>Null when the bond is over.</returns>
    public async ValueTask<BondStream?> AcceptStreamAsync(CancellationToken cancellationToken)
    {
        while (await _accepted.Reader.WaitToReadAsync(cancellationToken))
            if (_accepted.Reader.TryRead(out var stream))
                return stream;
        return null;
    }

    public BondSnapshot Snapshot()
    {
        lock (Gate)
        {
            return new(Id, Bond.Statistics, [.. _pumps.Select(pump => new SubflowSnapshot(
                pump.Subflow.Id, pump.Path, pump.Subflow.State, pump.Subflow.Reason, pump.Subflow.Policy, pump.Subflow.SmoothedRtt, pump.Subflow.MinRtt,
                pump.Subflow.RateBytesPerSecond, pump.Subflow.BytesSent, pump.Subflow.BytesReceived, pump.Subflow.BytesReinjected, pump.Local, pump.Remote))]);
        }
    }

    /// <summary>Ends the bond: the peer is told, streams are lost at once. <see cref="Closed"/> completes when everything is put away.</summary>
    public void Fail(ProtocolError error, string reason)
    {
        var work = DriverWork.Take();
        lock (Gate)
        {
            if (End is not null) return;
            var now = Context.Clock.Now;
            Bond.Close(error, reason, now);
            BeginEnd(new(error, reason, ByPeer: false), work);
            Collect(work, now);
        }

        work.Run(this);
    }

    /// <summary>A bug: logged once, and the bond ends.</summary>
    public void FailUnexpected(string where, Exception bug)
    {
        Context.Log.Unexpected(where, bug);
        try
        {
            Fail(ProtocolError.Internal, "unexpected error");
        }
        catch (Exception second)
        {
            Context.Log.Unexpected("closing a bond", second);
            var work = DriverWork.Take();
            lock (Gate)
                if (End is null)
                    BeginEnd(new(ProtocolError.Internal, "unexpected error", ByPeer: false), work);
            work.Run(this);
        }
    }

    void IDeadlineOwner.HandleDeadline(Instant now, TimeSpan late)
    {
        try
        {
            HandleDeadline(now, late);
        }
        catch (Exception bug)
        {
            FailUnexpected("deadline of a bond", bug);
        }
    }

    void IDeadlineOwner.HandleResumed(Instant now)
    {
        try
        {
            var work = DriverWork.Take();
            lock (Gate)
            {
                if (End is null) Bond.HandleResumedFromSuspend(now);
                Collect(work, now);
            }

            work.Run(this, writesInline: false);
        }
        catch (Exception bug)
        {
            FailUnexpected("resume of a bond", bug);
        }
    }

    private void HandleDeadline(Instant now, TimeSpan late)
    {
        foreach (var pump in Volatile.Read(ref _pumps))
        {
            if (!pump.IsWorn && Math.Max(pump.Subflow.BytesSent, pump.Subflow.BytesReceived) >= WornAfterBytes)
            {
                pump.IsWorn = true;
                _observer?.HandleSubflowWorn(pump);
            }

            if (!pump.IsBusy(now) || !pump.TrySample(out var sample)) continue;
            pump.Adapt(sample, pump.Subflow.SmoothedRtt, pump.Subflow.RateBytesPerSecond);
            lock (Gate)
                if (End is null && !pump.IsOver)
                    Bond.HandleTcpSample(pump.Subflow, sample, Context.Clock.Now);
        }

        var work = DriverWork.Take();
        lock (Gate)
        {
            now = Context.Clock.Now; // others may have been here meanwhile, and time never goes back
            _armed = Instant.Never;
            if (End is null)
            {
                NoteLateness(late > TimeSpan.Zero, now);
                if (Bond.NextTimeout <= now) Bond.HandleTimeout(now);
            }

            Collect(work, now);
        }

        work.Run(this, writesInline: false);
    }

    /// <summary>Under the lock, after every call into the engine: takes its events, its bytes and its deadline.</summary>
    public void Collect(DriverWork work, Instant now)
    {
        TakeEvents(work, now);
        var isBusy = false;
        bool isMore;
        do
        {
            // What one subflow takes may leave a copy for another that had nothing a moment ago.
            isMore = false;
            foreach (var pump in _pumps)
            {
                if (!pump.TryStage(now)) continue;
                work.AddWrite(pump);
                isMore = _pumps.Length > 1;
            }
        }
        while (isMore);
        foreach (var pump in _pumps) isBusy |= pump.IsBusy(now);

        TakeEvents(work, now);
        if (End is not null)
        {
            if (!Array.Exists(_pumps, pump => pump.IsWriting && !pump.IsOver)) work.AddSignal(_quiet!);
            return;
        }

        var due = Bond.NextTimeout;
        if (isBusy) due = Instant.Earlier(due, now + SampleInterval);
        // A deadline that moved back is found to be early when the old one passes: cheaper than moving it every time.
        if (due >= _armed) return;
        _armed = due;
        Context.Deadlines.Arm(_deadline, due);
    }

    /// <summary>Outside the lock: tells what became of a subflow.</summary>
    public void Tell(SubflowPump pump, SubflowState state, SubflowReason reason)
    {
        Context.Log.SubflowChanged(Id, pump.Subflow.Id, pump.Path, state, reason);
        _observer?.HandleSubflowChanged(pump, state, reason);
    }

    /// <summary>Under the lock: the stream is over for everyone.</summary>
    public void Unlink(BondStream stream)
    {
        if (stream.Previous is { } previous) previous.Next = stream.Next;
        else if (_firstStream == stream) _firstStream = stream.Next;
        if (stream.Next is { } next) next.Previous = stream.Previous;
        stream.Previous = stream.Next = null;
    }

    private BondStream? TryOpenStream(StreamHeader header, ReadOnlySpan<byte> headerBytes, out int written, out Task wait)
    {
        written = 0;
        wait = Task.CompletedTask;
        var work = DriverWork.Take();
        BondStream stream;
        try
        {
            lock (Gate)
            {
                if (End is not null) throw new BondStreamException(StreamError.BondLost);
                var now = Context.Clock.Now;
                if (Bond.TryOpenStream(now) is not { } endpoint)
                {
                    _streamsAvailable ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
                    wait = _streamsAvailable.Task;
                    return null;
                }

                stream = Link(new(this, endpoint) { Header = header });
                written = Bond.Write(endpoint, headerBytes, now);
                Collect(work, now);
            }
        }
        catch (Exception bug) when (bug is not BondStreamException)
        {
            FailUnexpected("opening a stream", bug);
            throw new BondStreamException(StreamError.BondLost);
        }

        work.Run(this);
        return stream;
    }

    private BondStream Link(BondStream stream)
    {
        stream.Endpoint.Owner = stream;
        stream.Next = _firstStream;
        if (_firstStream is not null) _firstStream.Previous = stream;
        return _firstStream = stream;
    }

    private void TakeEvents(DriverWork work, Instant now)
    {
        while (Bond.TryPollEvent(out var seen))
        {
            switch (seen.Kind)
            {
                case BondEventKind.StreamOpened:
                    var opened = Link(new(this, seen.Stream!));
                    if (opened.TryReadHeader(now)) _accepted.Writer.TryWrite(opened);
                    break;

                case BondEventKind.StreamReadable or BondEventKind.StreamReset when seen.Stream!.Owner is BondStream stream:
                    if (seen.Kind == BondEventKind.StreamReset) work.AddWait(stream.Writer); // a slow reader loses both directions
                    if (stream.HasHeader) work.AddReader(stream);
                    else if (stream.TryReadHeader(now)) _accepted.Writer.TryWrite(stream);
                    break;

                case BondEventKind.StreamWritable or BondEventKind.StreamStopped when seen.Stream!.Owner is BondStream stream:
                    work.AddWait(stream.Writer);
                    break;

                case BondEventKind.StreamClosed when seen.Stream!.Owner is BondStream stream:
                    Unlink(stream);
                    stream.HandleOver(isBondLost: false, work);
                    break;

                case BondEventKind.StreamsAvailable when _streamsAvailable is not null:
                    work.AddSignal(_streamsAvailable);
                    _streamsAvailable = null;
                    break;

                case BondEventKind.SubflowChanged or BondEventKind.SubflowDead when seen.Subflow!.Owner is SubflowPump pump:
                    work.AddChange(pump, seen.Subflow.State, seen.Subflow.Reason);
                    break;

                case BondEventKind.BondClosed when End is null:
                    BeginEnd(new((ProtocolError)seen.Code, seen.Reason ?? "", ByPeer: true), work);
                    break;
            }
        }

        var isAlive = Array.Exists(_pumps, pump => !pump.IsOver && pump.Subflow.State is SubflowState.Active or SubflowState.Suspect);
        _silentSince = isAlive ? null : _silentSince ?? now;
    }

    private void BeginEnd(BondEnd end, DriverWork work)
    {
        End = end;
        while (_firstStream is { } stream)
        {
            Unlink(stream);
            stream.HandleOver(isBondLost: true, work);
        }

        _accepted.Writer.TryComplete();
        if (_streamsAvailable is not null) work.AddSignal(_streamsAvailable);
        _quiet = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _completion.TrySetResult(end);
        _ = SayFarewellAsync(end); // Closed is its completion
    }

    /// <summary>Lets the last frames leave, waits a moment for the peer to close too (a reset would destroy them), then closes everything.</summary>
    private async Task SayFarewellAsync(BondEnd end)
    {
        await Task.Yield(); // out of the lock
        try
        {
            if (await FinishesInTimeAsync(_quiet!.Task))
            {
                foreach (var pump in Pumps) pump.ShutdownSend();
                await FinishesInTimeAsync(Task.WhenAll(Pumps.Select(pump => pump.Completion)));
            }

            var rest = Pumps;
            foreach (var pump in rest) pump.Abort("the bond is over");
            await Task.WhenAll(rest.Select(pump => pump.Completion));
        }
        catch (Exception bug)
        {
            Context.Log.Unexpected("closing a bond", bug);
        }

        Context.Deadlines.Unregister(_deadline);
        Context.Log.BondEnded(Id, end);
        _closed.TrySetResult();
    }

    private async Task<bool> FinishesInTimeAsync(Task task)
    {
        try
        {
            await task.WaitAsync(FarewellTime, Context.Clock.Provider);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private void NoteLateness(bool isDeadlineLate, Instant now)
    {
        var late = Context.Deadlines.Late;
        if (late == _lateSeen && !isDeadlineLate) return;
        Bond.HandleClockLate(late - _lateSeen, now);
        _lateSeen = late;
    }
}
