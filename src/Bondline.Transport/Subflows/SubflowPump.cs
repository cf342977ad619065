using System.Buffers;
using System.Net;
using System.Runtime.CompilerServices;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Moves one subflow's bytes: a read loop that never waits for a stream's reader, and a writer that pulls from the bond when its last write is done.</summary>
/// <remarks>
/// At most one write is in flight. Whoever made work for it (a stream's writer, a read loop, the clock) starts the first write on its own thread, so that a small
/// message leaves without a change of thread; what follows runs on the thread pool, and small messages in quick succession leave together.
/// </remarks>
internal sealed class SubflowPump : IThreadPoolWorkItem
{
    // Seven full records: with TLS's additions they fit a pooled buffer of 128 KiB.
    private const int SmallBufferBytes = 16_384, LargeBufferBytes = 7 * SmallBufferBytes;

    // Each record costs a system call at both ends, 20 us of a core together: worth a change of thread if it then carries several messages.
    // It must be shorter than a round trip of a request alone, which would change threads for nobody: 200 us made one of 190 us take 260.
    private static readonly TimeSpan Hurry = TimeSpan.FromMicroseconds(100);

    // An end that only receives writes acknowledgements far more often than this.
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(250);

    // A thread serves others after so many writes, or reads, without a wait.
    private const int WritesPerTurn = 16, ReadsPerTurn = 16;

    private readonly BondDriver _driver;
    private readonly SubflowSocket _socket;
    private readonly Action _onWritten;
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ValueTaskAwaiter _write;
    private LossEvidence _loss; // the clock thread's own

    // Under the bond's lock, except that the buffer is the writer's own while IsWriting.
    private byte[]? _buffer;
    private int _staged;
    private Instant _lastWritten;
    private bool _isLarge, _isReadOver;
    private string? _ending;

    public SubflowPump(BondDriver driver, SubflowSocket socket, string path)
    {
        (_driver, _socket, Path) = (driver, socket, path);
        _onWritten = OnWritten;
    }

    /// <summary>The engine's side of it; set when it is attached.</summary>
    public Subflow Subflow { get; set; } = null!;

    public BondDriver Driver => _driver;

    public string Path { get; }

    /// <summary>The path manager's name for it: unlike the bond's id, unique over bonds.</summary>
    public SubflowId Handle { get; init; }

    public IPEndPoint? Local => _socket.Local;

    public IPEndPoint? Remote => _socket.Remote;

    /// <summary>As <see cref="SubflowSocket.IsMultipath"/>.</summary>
    public bool IsMultipath => _socket.IsMultipath;

    /// <summary>Under the lock: a write is in flight or staged.</summary>
    public bool IsWriting { get; private set; }

    /// <summary>Under the lock: the socket is closed or closing; nothing more is asked of the bond for it.</summary>
    public bool IsOver => _ending is not null;

    /// <summary>What is staged costs little time to encrypt.</summary>
    public bool IsStagedSmall => _staged <= 2048;

    /// <summary>The write before ended a moment ago: more small messages are on their way, and wait for the thread pool together with this one.</summary>
    public bool IsHurried { get; private set; }

    /// <summary>The clock thread's own: its end was asked for because it has carried enough.</summary>
    public bool IsWorn { get; set; }

    /// <summary>Completes when the socket is closed and the bond has taken leave of the subflow. Never faults.</summary>
    public Task Completion => _finished.Task;

    /// <summary>Why it ended, for a log.</summary>
    public string Ending => _ending ?? "";

    /// <summary>Under the lock: nothing is asked of the bond before <see cref="TryStageNext"/>.</summary>
    public void Hold() => IsWriting = true;

    /// <summary>Under the lock: asks the bond for bytes if no write is in flight.</summary>
    /// <returns>True if there are some: the caller then calls <see cref="WriteInline"/> or <see cref="WriteLater"/> outside the lock.</returns>
    public bool TryStage(Instant now)
    {
        if (IsWriting || IsOver) return false;
        var size = _isLarge ? LargeBufferBytes : SmallBufferBytes;
        var room = _isLarge ? size : 2 * size; // for TopUp
        if (_buffer is null || _buffer.Length < room)
        {
            ReturnBuffer();
            _buffer = ArrayPool<byte>.Shared.Rent(room);
        }

        _staged = _driver.Bond.PollTransmit(Subflow, now, _buffer.AsSpan(0, size));
        _isLarge = _staged > size * 3 / 4;
        IsWriting = _staged > 0;
        IsHurried = now - _lastWritten < Hurry;
        if (!IsWriting) ReturnBuffer();
        return IsWriting;
    }

    /// <summary>Under the lock: the write is over; stages the next one.</summary>
    public bool TryStageNext(Instant now)
    {
        IsWriting = false;
        _lastWritten = now;
        if (TryStage(now)) return true;
        if (_isReadOver) Finish();
        return false;
    }

    /// <summary>Starts the staged write on this thread; goes on later if there is more.</summary>
    public void WriteInline() => Write(turns: 1);

    /// <summary>Starts the staged write on the thread pool.</summary>
    public void WriteLater() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

    void IThreadPoolWorkItem.Execute()
    {
        try
        {
            _driver.TopUp(this);
        }
        catch (Exception failure)
        {
            FailWrite(failure);
            return;
        }

        Write(WritesPerTurn);
    }

    /// <summary>Under the lock: what came up since the write was staged leaves with it.</summary>
    public void TopUp(Instant now)
    {
        if (!IsOver && !_isLarge && _buffer!.Length - _staged >= SmallBufferBytes)
            _staged += _driver.Bond.PollMore(Subflow, now, _buffer.AsSpan(_staged, SmallBufferBytes));
    }

    /// <summary>The read loop; runs until the connection is over, then takes leave of the bond.</summary>
    /// <param name="early">What came behind the handshake.</param>
    public async Task RunAsync(ReadOnlyMemory<byte> early)
    {
        string? violated = null;
        try
        {
            try
            {
                await ReadAsync(early);
            }
            catch (ProtocolException violation)
            {
                violated = violation.Message;
                _driver.Fail(violation.Error, violation.Message);
                // CLOSE leaves here too. What the peer still says means nothing, but left unread it would make our end a reset, which destroys the CLOSE.
                await ReadAsync(default);
            }

            End(violated ?? "the peer closed the connection");
        }
        catch (Exception failure) when (SubflowSocket.IsNetworkFailure(failure))
        {
            End(violated ?? failure.Message);
        }
        catch (Exception bug)
        {
            End("unexpected error");
            _driver.FailUnexpected("read loop of a subflow", bug);
        }

        _driver.Remove(this);
        lock (_driver.Gate)
        {
            _isReadOver = true;
            if (!IsWriting) Finish();
        }

        await Completion;
    }

    /// <summary>The kernel's numbers are worth a look: an answer is awaited, or something was written a moment ago (an acknowledgement is not acknowledged in turn).</summary>
    public bool IsBusy(Instant now) => Subflow.UnackedBytes > 0 && (Subflow.HasOutstanding || now - _lastWritten < Linger);

    /// <summary>Closes the connection with a reset; both loops end. Any thread.</summary>
    public void Abort(string why)
    {
        End(why);
        _socket.Abort();
    }

    /// <summary>Says that nothing more will be sent; the read loop goes on until the peer closes too.</summary>
    public void ShutdownSend() => _socket.ShutdownSend();

    /// <summary>One look at the kernel's numbers. Outside the lock.</summary>
    public bool TrySample(out TcpSample sample) => _socket.TrySample(out sample);

    /// <summary>What the kernel has spread it over.</summary>
    public PathObservation.MultipathSeen SeeMultipath()
    {
        var (isMultipath, subflows) = _socket.Multipath;
        return new(Handle, isMultipath, [.. subflows.Select(subflow => subflow.Local.Address)]);
    }

    /// <summary>Acts on a sample: what may wait unsent, and which congestion control. Outside the lock.</summary>
    public void Adapt(in TcpSample sample, TimeSpan rtt, double bytesPerSecond)
    {
        _socket.LimitUnsent(rtt, bytesPerSecond);
        _loss.Add(sample);
        if (_loss.IsLossy) _socket.TryUseLossTolerantControl();
    }

    private async Task ReadAsync(ReadOnlyMemory<byte> early)
    {
        byte[]? buffer = null;
        var kept = 0;
        try
        {
            if (!early.IsEmpty)
            {
                buffer = ArrayPool<byte>.Shared.Rent(early.Length + SmallBufferBytes);
                early.CopyTo(buffer);
                kept = Process(buffer, early.Length);
            }

            var mayBeWaiter = true; // this may be the thread that waits for many sockets: bulk is not for it
            for (var turns = 0; ;)
            {
                if (kept == 0 && !_socket.TryPrefetch())
                {
                    if (buffer is not null) ArrayPool<byte>.Shared.Return(buffer);
                    buffer = null;
                    await _socket.WaitReadableAsync();
                    turns = 0;
                    mayBeWaiter = true;
                }
                else if (++turns == ReadsPerTurn || (mayBeWaiter && _socket.HasWholeRecord))
                {
                    await Task.Yield();
                    turns = 0;
                    mayBeWaiter = false;
                }

                // Room for a record behind the rest of a frame; for several when several are waiting.
                buffer ??= ArrayPool<byte>.Shared.Rent(_socket.HasWholeRecord ? 4 * SmallBufferBytes : 2 * SmallBufferBytes);
                var length = await _socket.ReadAsync(buffer.AsMemory(kept));
                if (length == 0) return;
                kept += length;
                while (length > 0 && _socket.HasWholeRecord && buffer.Length - kept >= SmallBufferBytes)
                {
                    length = await _socket.ReadAsync(buffer.AsMemory(kept));
                    kept += length;
                }

                kept = Process(buffer, kept);
                if (length == 0) return; // whatever follows TLS's own end is never read
            }
        }
        finally
        {
            if (buffer is not null) ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private int Process(byte[] buffer, int length)
    {
        var consumed = _driver.HandleReceived(this, buffer.AsSpan(0, length));
        buffer.AsSpan(consumed, length - consumed).CopyTo(buffer);
        return length - consumed;
    }

    private void Write(int turns)
    {
        try
        {
            while (true)
            {
                _write = _socket.WriteAsync(_buffer.AsMemory(0, _staged)).GetAwaiter();
                if (!_write.IsCompleted)
                {
                    _write.UnsafeOnCompleted(_onWritten);
                    return;
                }

                _write.GetResult();
                if (!_driver.StageNext(this)) return;
                if (--turns > 0) continue;
                WriteLater();
                return;
            }
        }
        catch (Exception failure)
        {
            FailWrite(failure);
        }
    }

    private void OnWritten()
    {
        try
        {
            _write.GetResult();
            if (!_driver.StageNext(this)) return;
        }
        catch (Exception failure)
        {
            FailWrite(failure);
            return;
        }

        Write(WritesPerTurn);
    }

    private void FailWrite(Exception failure)
    {
        Abort(failure.Message); // the read loop then takes leave
        if (!SubflowSocket.IsNetworkFailure(failure)) _driver.FailUnexpected("writer of a subflow", failure);
        lock (_driver.Gate)
        {
            IsWriting = false;
            if (_isReadOver) Finish();
        }
    }

    private void End(string why)
    {
        lock (_driver.Gate) _ending ??= why;
    }

    private void Finish()
    {
        ReturnBuffer();
        _socket.Dispose();
        _finished.TrySetResult();
    }

    private void ReturnBuffer()
    {
        if (_buffer is not null) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = null;
    }
}
