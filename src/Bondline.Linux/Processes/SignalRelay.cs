using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>Passes the signals of this process on to the program it stands in for.</summary>
/// <remarks>A key of the terminal signals every process of the foreground group, the program too: that is not passed on, or it would come twice.</remarks>
public sealed unsafe partial class SignalRelay : IDisposable
{
    private const int Interrupt = 2, Quit = 3, Ignore = 1;
    private const int ReadOnly = 0, NoControl = 0x100, CloseOnExec = 0x80000; // O_NOCTTY, O_CLOEXEC

    // SIGHUP, INT, QUIT, USR1, USR2, ALRM, TERM, VTALRM, PROF, IO, PWR: what others send. The rest are about this process itself, or cannot be had.
    private static readonly int[] Passed = [1, Interrupt, Quit, 10, 12, 14, 15, 26, 27, 29, 30];

    private readonly Lock _gate = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly List<int> _early = [];
    private int _program;

    /// <summary>From now on signals wait for a program; those that are ignored stay so, for the program to be started the same.</summary>
    public SignalRelay() => Register(Passed.Where(signal => !IsIgnored(signal)));

    /// <summary>The program has started; it gets what came before.</summary>
    public void PassTo(int program)
    {
        lock (_gate)
        {
            _program = program;
            foreach (var signal in _early) ChildProcess.Signal(program, signal);
        }
        Register(Passed.Where(IsIgnored)); // it may ignore them no more
    }

    /// <summary>The program has ended: its id may be another's soon.</summary>
    public void Dispose()
    {
        lock (_gate) _program = 0;
        foreach (var registration in _registrations) registration.Dispose();
    }

    private void Register(IEnumerable<int> signals)
    {
        foreach (var signal in signals.ToArray())
            _registrations.Add(PosixSignalRegistration.Create((PosixSignal)signal, context =>
            {
                context.Cancel = true;
                Pass(signal);
            }));
    }

    private void Pass(int signal)
    {
        lock (_gate)
        {
            if (_program == 0) _early.Add(signal); // whoever signalled it: the program has not seen it
            else if (signal is not (Interrupt or Quit) || !IsForeground()) ChildProcess.Signal(_program, signal);
        }
    }

    private static bool IsForeground()
    {
        var terminal = open("/dev/tty", ReadOnly | NoControl | CloseOnExec);
        if (terminal < 0) return false; // no terminal, so no keys
        var isForeground = tcgetpgrp(terminal) == getpgrp();
        _ = close(terminal);
        return isForeground;
    }

    private static bool IsIgnored(int number)
    {
        Span<byte> action = stackalloc byte[256]; // struct sigaction: the handler comes first
        action.Clear();
        return sigaction(number, null, action) == 0 && MemoryMarshal.Read<nint>(action) == Ignore;
    }

    [LibraryImport("libc")]
    private static partial int sigaction(int number, void* action, Span<byte> old);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);

    [LibraryImport("libc")]
    private static partial int tcgetpgrp(int terminal);

    [LibraryImport("libc")]
    private static partial int getpgrp();
}
