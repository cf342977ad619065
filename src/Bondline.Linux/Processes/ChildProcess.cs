using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>How a program ended.</summary>
/// <param name="Code">What it returned, if no signal ended it.</param>
/// <param name="Signal">What ended it; 0 if nothing did.</param>
public readonly record struct ProgramEnd(int Code, int Signal)
{
    /// <summary>As shells write it: 128 and the signal's number.</summary>
    public int ExitCode => Signal == 0 ? Code : 128 + Signal;

    /// <summary>Reads what wait(2) gives of a process that has ended.</summary>
    //  | signal, 0x7F: stopped (7 bits) | dumped core (1) | what it returned, or what stopped it (8) |
    public static ProgramEnd Read(int status) => (status & 0x7F) == 0 ? new((status >> 8) & 0xFF, 0) : new(0, status & 0x7F);
}

/// <summary>Stands between a program and whoever waits for this process, so that both see what they would without it: stops, signals, the end.</summary>
public static partial class ChildProcess
{
    private const int Untraced = 2, Interrupted = 4; // WUNTRACED, EINTR
    private const int SignalContinue = 18, SignalStop = 19, SignalChild = 17;
    private const int SetDumpable = 4; // PR_SET_DUMPABLE

    /// <summary>What a key has stopped is stopped with us at the same moment; only what still is a moment later stopped by itself.</summary>
    private static readonly TimeSpan StopsTogether = TimeSpan.FromMilliseconds(50);

    /// <summary>Before a child is started: its end must not be forgotten, as it would be where whoever started us ignores SIGCHLD.</summary>
    public static void Expect() => signal(SignalChild, 0);

    /// <summary>Waits for a child's end. While it is stopped this process stops too, so that a shell notices.</summary>
    public static ProgramEnd Wait(int process)
    {
        while (true)
        {
            // The first process of a container also gets everybody's orphans, who would otherwise never go.
            var ended = waitpid(Environment.ProcessId == 1 ? -1 : process, out var status, Untraced);
            if (ended < 0)
            {
                if (Marshal.GetLastPInvokeError() == Interrupted) continue;
                throw new InvalidOperationException($"There is no child {process}.");
            }
            if (ended != process) continue;
            if ((status & 0xFF) != 0x7F) return ProgramEnd.Read(status);
            PreciseThread.SleepUntil(PreciseThread.Now + (long)StopsTogether.TotalNanoseconds);
            if (!IsStopped(process)) continue;
            kill(Environment.ProcessId, SignalStop);
            kill(process, SignalContinue); // whoever continues a job may continue this process alone
        }
    }

    /// <summary>Waits for a child that is of no more interest.</summary>
    public static void Reap(int process)
    {
        while (waitpid(process, out _, 0) < 0 && Marshal.GetLastPInvokeError() == Interrupted) { }
    }

    /// <summary>Ends this process by the same signal, so that whoever waits for it sees what it would have seen.</summary>
    /// <remarks>Returns where that signal does not end it, as the first process of a container.</remarks>
    public static void EndBy(int signalNumber)
    {
        prctl(SetDumpable, 0, 0, 0, 0); // the program's memory is of interest, ours is not
        signal(signalNumber, 0);
        kill(Environment.ProcessId, signalNumber);
    }

    /// <summary>Passes a signal on.</summary>
    public static void Signal(int process, int signalNumber) => kill(process, signalNumber);

    // /proc/PID/stat: | id | (name) | state | ...
    private static bool IsStopped(int process)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].StartsWith('T');
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            return false; // killed meanwhile, or no /proc
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int waitpid(int process, out int status, int options);

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc")]
    private static partial nint signal(int number, nint handler);

    [LibraryImport("libc")]
    private static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);
}
