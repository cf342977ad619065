using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>Signals of this process that no handler sees: a thread of ours reads them with what they come from, which .NET's handlers do not tell.</summary>
/// <remarks>
/// A signal reaches a thread that does not block it, so all have to. Threads get this from the one that starts them; native code has two as its Main
/// begins, this one and the finalizer's. With its compiler at run time .NET has others, which nobody can reach: the signals are left alone there.
/// </remarks>
internal sealed unsafe partial class BlockedSignals : IDisposable
{
    private const int SignalSetLength = 128; // sigset_t of glibc and musl
    private const int Block = 0, Restore = 2; // SIG_BLOCK, SIG_SETMASK
    private const int InfoLength = 128, CodeOffset = 8, FromKernel = 0x80; // struct signalfd_siginfo, its ssi_code, SI_KERNEL
    private const int CloseOnExec = 0x80000, NonBlocking = 0x800; // SFD_CLOEXEC, SFD_NONBLOCK

    private readonly Action<int, bool> _handle;
    private readonly byte[] _before;
    private readonly int _descriptor;
    private readonly WakeUp _over = new();
    private readonly Thread _thread;

    private BlockedSignals(int descriptor, byte[] before, Action<int, bool> handle)
    {
        (_descriptor, _before, _handle) = (descriptor, before, handle);
        _thread = new(Read) { IsBackground = true, Name = "signals" };
        _thread.Start();
    }

    /// <summary>What the calling thread blocked before, as sigset_t: for programs to be started.</summary>
    public ReadOnlySpan<byte> Before => _before;

    /// <summary>Blocks signals before anything has started threads.</summary>
    /// <param name="signals">Their numbers.</param>
    /// <param name="handle">Gets each one, on a thread of its own: its number, and whether the kernel sent it by itself (a key of the terminal) and not somebody.</param>
    /// <returns>Null where there is a thread that would get them all the same; nothing is changed then.</returns>
    public static BlockedSignals? TryBlock(IReadOnlyList<int> signals, Action<int, bool> handle)
    {
        var set = SetOf(signals);
        var before = new byte[SignalSetLength];
        _ = pthread_sigmask(Block, set, before);
        OnFinalizer(Block, set);
        if (AllThreadsBlock(signals) && signalfd(-1, set, CloseOnExec | NonBlocking) is >= 0 and var descriptor) return new(descriptor, before, handle);
        OnFinalizer(Restore, before);
        _ = pthread_sigmask(Restore, before, null);
        return null;
    }

    /// <summary>From now on they are for the calling thread, which must be the one that blocked them: what comes ends this process, or whatever was meant to happen before.</summary>
    public void Dispose()
    {
        if (!_thread.IsAlive) return;
        _over.Set();
        _thread.Join();
        _ = close(_descriptor);
        _over.Dispose();
        _ = pthread_sigmask(Restore, _before, null);
    }

    private void Read()
    {
        Span<byte> info = stackalloc byte[InfoLength];
        Span<PollEntry> entries = stackalloc PollEntry[2];
        while (true)
        {
            entries[0] = new(_descriptor);
            entries[1] = new(_over.Descriptor);
            PreciseThread.WaitReadable(entries, long.MaxValue);
            if (entries[1].IsReady) return;
            if (read(_descriptor, info, InfoLength) == InfoLength) _handle(MemoryMarshal.Read<int>(info), MemoryMarshal.Read<int>(info[CodeOffset..]) == FromKernel);
        }
    }

    private static void OnFinalizer(int how, byte[] set)
    {
        LeaveBehind(how, set);
        GC.Collect();
        GC.WaitForPendingFinalizers();

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void LeaveBehind(int how, byte[] set) => _ = new FinalizerTask(how, set);
    }

    private static bool AllThreadsBlock(IReadOnlyList<int> signals)
    {
        var wanted = signals.Aggregate(0UL, (bits, signal) => bits | (1UL << (signal - 1)));
        try
        {
            return Directory.EnumerateDirectories("/proc/self/task").All(thread => (Blocked(thread) & wanted) == wanted);
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException or FormatException)
        {
            return false; // no /proc
        }
    }

    private static ulong Blocked(string thread)
    {
        const string Name = "SigBlk:";
        var line = File.ReadLines(Path.Combine(thread, "status")).First(line => line.StartsWith(Name, StringComparison.Ordinal));
        return Convert.ToUInt64(line[Name.Length..].Trim(), 16);
    }

    private static byte[] SetOf(IReadOnlyList<int> signals)
    {
        var set = new byte[SignalSetLength];
        foreach (var signal in signals) set[(signal - 1) / 8] |= (byte)(1 << ((signal - 1) % 8)); // the first signal in the lowest bit
        return set;
    }

    /// <summary>Its end is work for the finalizer's thread, which has no other way to be told what to block.</summary>
    private sealed class FinalizerTask(int how, byte[] set)
    {
        ~FinalizerTask() => _ = pthread_sigmask(how, set, null);
    }

    [LibraryImport("libc")]
    private static partial int pthread_sigmask(int how, byte[] set, byte[]? old);

    [LibraryImport("libc")]
    private static partial int signalfd(int descriptor, byte[] set, int flags);

    [LibraryImport("libc")]
    private static partial nint read(int descriptor, Span<byte> buffer, nuint count);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);
}
