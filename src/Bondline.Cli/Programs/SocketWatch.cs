using System.Net.Sockets;
using System.Runtime.Versioning;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>Everything that makes a program's TCP sockets MPTCP sockets: a thread to start it from, and a process that answers.</summary>
[SupportedOSPlatform("linux")]
internal sealed class SocketWatch : IDisposable
{
    private readonly FilteredThread _thread;
    private readonly AnswererProcess _answerer;

    private SocketWatch(FilteredThread thread, AnswererProcess answerer) => (_thread, _answerer) = (thread, answerer);

    /// <param name="program">The file of the program to be started.</param>
    /// <param name="isChild">This process waits for the program; false: the program takes its place.</param>
    /// <param name="obstacle">Why it cannot be, and what to do; without its full stop.</param>
    /// <returns>Null if there is an obstacle; nothing is left of it then.</returns>
    public static SocketWatch? TryStart(byte[] program, bool isChild, out string? obstacle)
    {
        obstacle = WithoutMultipath();
        if (obstacle is not null) return null;
        var thread = FilteredThread.TryStart(out var refusal);
        if (thread is null)
        {
            obstacle = Explain(refusal);
            return null;
        }
        using var listener = thread.Listener; // the answerer has its own, and its end must not leave callers waiting
        if (thread.TakesRights && ProgramFile.GivesRights(program))
            obstacle = "it gets rights from its file (of another user, or capabilities), which Linux would take from it here. To have both, start bondline as root: sudo bondline run -- PROGRAM";
        else if (AnswererProcess.TryStart(listener, [.. OwnCommandLine.Program, "run", isChild ? "--answer" : "--answer-apart"], isChild) is { } answerer)
            return new(thread, answerer);
        else
            obstacle = "the process that would make its sockets could not be started";
        thread.Dispose();
        return null;
    }

    /// <summary>Does something on the thread, once: starts the program.</summary>
    public T Finish<T>(Func<T> work) => _thread.Finish(work);

    /// <summary>How the program's calls were answered; null if nobody knows.</summary>
    public AnswerCounts? Counts() => _answerer.Counts();

    public void Dispose()
    {
        _thread.Dispose();
        _answerer.Dispose();
    }

    private static string? WithoutMultipath()
    {
        using var socket = MultipathSocket.TryCreate(AddressFamily.InterNetwork) ?? MultipathSocket.TryCreate(AddressFamily.InterNetworkV6);
        if (socket is not null) return CallerContext.CanBeRead ? null : "there is no /proc here, or that of other processes; it tells who asks for a socket (unshare has --mount-proc)";
        var settings = new MultipathSettings();
        return !settings.Exist ? "this kernel has no MPTCP, or a sandbox hides it"
            : !settings.IsEnabled ? "MPTCP is switched off here; \"sudo bondline mptcp enable\" switches it on"
            : "this process may not make MPTCP sockets (a sandbox)";
    }

    private static string Explain(SeccompRefusal refusal) => refusal switch
    {
        SeccompRefusal.OtherMachine => "bondline run knows the system calls of x86-64 and ARM64 only",
        SeccompRefusal.NotSupported => "it takes Linux 5.14 or later, with seccomp",
        SeccompRefusal.Taken => "another program watches its system calls already, a bondline run around this one or a container's manager, and there can be one only",
        _ => "a sandbox forbids seccomp(2) here",
    };
}
