using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Bondline.Linux;

/// <summary>The process that answers for a listener, seen from the one that starts it. It needs nobody, and ends when nobody is behind the filter any more.</summary>
/// <remarks>A process of its own, so that programs which outlive whoever started them go on opening sockets, and nobody's end takes them along.</remarks>
public sealed partial class AnswererProcess : IDisposable
{
    private const int UnixFamily = 1, SequencedPackets = 5, CloseOnExec = 0x80000;
    private const int ConnectionReset = 104; // ECONNRESET
    private const int DuplicateAbove = 1030, FirstOwn = 10; // F_DUPFD_CLOEXEC

    /// <summary>For an answerer that works these are milliseconds; a busy machine may take longer.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20), AnswerLimit = TimeSpan.FromSeconds(5);

    private readonly SafeFileHandle _control;

    private AnswererProcess(SafeFileHandle control) => _control = control;

    /// <summary>Starts one and waits until it answers.</summary>
    /// <param name="listener">Not needed here any more once this has returned.</param>
    /// <param name="command">The program that calls <see cref="SocketAnswerer"/>, to which "LISTENER,CONTROL" is added: the numbers of its descriptors.</param>
    /// <param name="isChild">False: it starts itself again and is nobody's child, so that a program which takes this process's place has none that it does not know.</param>
    /// <returns>Null if it does not work.</returns>
    public static AnswererProcess? TryStart(NotificationListener listener, IReadOnlyList<string> command, bool isChild)
    {
        ArgumentNullException.ThrowIfNull(listener);
        ArgumentNullException.ThrowIfNull(command);
        Span<int> pair = stackalloc int[2];
        if (socketpair(UnixFamily, SequencedPackets | CloseOnExec, 0, pair) != 0) return null;
        using var raised = Raise(pair[1]);
        var answerer = new AnswererProcess(Raise(pair[0]));
        var theirs = (int)raised.DangerousGetHandle();
        var isStarted = NativeProgram.TryStartApart([.. command, $"{listener.Descriptor},{theirs}"], [listener.Descriptor, theirs], out var process) == 0;
        raised.Dispose(); // or the end of the answerer would not be seen
        if (isStarted && !isChild) ChildProcess.Reap(process);
        if (isStarted && answerer.TryRead(StartLimit) is not null) return answerer;
        answerer.Dispose();
        return null;
    }

    /// <summary>How calls have been answered so far.</summary>
    /// <returns>Null if it does not say: it was killed.</returns>
    public AnswerCounts? Counts()
    {
        _ = write(_control, [1], 1); // one that has ended because nobody is left has told by itself
        return TryRead(AnswerLimit);
    }

    /// <summary>For the answerer itself: whoever it answers for decides when it ends, no terminal stops it, and it holds nothing that others may want to have back.</summary>
    public static void Detach()
    {
        foreach (var disturbing in (ReadOnlySpan<int>)[1, 2, 3, 10, 12, 15, 20, 21, 22]) _ = signal(disturbing, 1); // HUP, INT, QUIT, USR1, USR2, TERM, TSTP, TTIN, TTOU
        _ = setsid();
        _ = chdir("/");
    }

    public void Dispose() => _control.Dispose();

    private AnswerCounts? TryRead(TimeSpan limit)
    {
        var deadline = PreciseThread.Now + (long)limit.TotalNanoseconds;
        Span<PollEntry> entry = stackalloc PollEntry[1];
        do
        {
            entry[0] = new((int)_control.DangerousGetHandle());
            PreciseThread.WaitReadable(entry, deadline);
        }
        while (!entry[0].IsReady && PreciseThread.Now < deadline); // a signal ends a wait
        if (!entry[0].HasInput) return null;
        Span<byte> message = stackalloc byte[AnswerCounts.Length];
        var length = read(_control, message, (nuint)message.Length);
        // It told and ended without having read the last question: the kernel says that first.
        if (length < 0 && Marshal.GetLastPInvokeError() == ConnectionReset) length = read(_control, message, (nuint)message.Length);
        return length > 0 && AnswerCounts.TryRead(message[..(int)length], out var counts) ? counts : null;
    }

    private static SafeFileHandle Raise(int descriptor)
    {
        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        if (descriptor >= FirstOwn || fcntl(handle, DuplicateAbove, FirstOwn) is not (>= 0 and var higher)) return handle;
        handle.Dispose();
        return new(higher, ownsHandle: true);
    }

    [LibraryImport("libc")]
    private static partial int socketpair(int family, int type, int protocol, Span<int> pair);

    [LibraryImport("libc")]
    private static partial int fcntl(SafeFileHandle descriptor, int command, nint argument);

    [LibraryImport("libc")]
    private static partial nint signal(int number, nint handler);

    [LibraryImport("libc")]
    private static partial int setsid();

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chdir(string folder);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(SafeFileHandle descriptor, Span<byte> buffer, nuint count);

    [LibraryImport("libc")]
    private static partial nint write(SafeFileHandle descriptor, ReadOnlySpan<byte> buffer, nuint count);
}
