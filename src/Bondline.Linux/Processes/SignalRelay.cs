using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>Passes the signals of this process on to the program it stands in for.</summary>
/// <remarks>A key of the terminal signals every process of the foreground group, the program too: that is not passed on, or it would come twice. What a program sends is.</remarks>
public sealed unsafe partial class SignalRelay : IDisposable
{
    private const int Ignore = 1;
    private const int ReadOnly = 0, NoControl = 0x100, CloseOnExec = 0x80000; // O_NOCTTY, O_CLOEXEC

    // SIGINT, QUIT.
    private static readonly int[] Keys = [2, 3];

    // SIGHUP, USR1, USR2, ALRM, TERM, VTALRM, PROF, IO, PWR: what else others send. The rest are about this process itself, or cannot be had.
    private static readonly int[] Others = [1, 10, 12, 14, 15, 26, 27, 29, 30];

    private readonly Lock _gate = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly BlockedSignals? _keys;
    private readonly List<int> _early = [];
    private int _program;

    /// <summary>From now on signals wait for a program; those that are ignored stay so, for the program to be started the same.</summary>
    /// <remarks>Call it before anything has started threads, or a signal that somebody sends while this process is in a terminal's foreground is taken for a key.</remarks>
    public SignalRelay()
    {
        var ignored = Keys.Where(IsIgnored).ToArray();
        _keys = BlockedSignals.TryBlock(Keys, (signal, isKey) => Pass(signal, isKey, isIgnored: ignored.Contains(signal))); // what is blocked comes, also if it is ignored
        Register(Handled.Where(signal => !IsIgnored(signal)));
    }

    /// <summary>The signals that a program is to start with as blocked, as sigset_t; empty: those of the thread that starts it.</summary>
    public ReadOnlySpan<byte> Blocked => _keys is null ? [] : _keys.Before;

    /// <summary>The program has started; it gets what came before.</summary>
    public void PassTo(int program)
    {
        lock (_gate)
        {
            _program = program;
            foreach (var signal in _early) ChildProcess.Signal(program, signal);
        }
        Register(Handled.Where(IsIgnored)); // it may ignore them no more
    }

    /// <summary>The program has ended: its id may be another's soon. To be called on the thread that made this.</summary>
    public void Dispose()
    {
        lock (_gate) _program = 0;
        foreach (var registration in _registrations) registration.Dispose();
        _keys?.Dispose();
    }

    private void Register(IEnumerable<int> signals)
    {
        foreach (var signal in signals.ToArray())
            _registrations.Add(PosixSignalRegistration.Create((PosixSignal)signal, context =>
            {
                context.Cancel = true;
                Pass(signal, isKey: Keys.Contains(signal) && IsForeground(), isIgnored: false);
            }));
    }

    private void Pass(int signal, bool isKey, bool isIgnored)
    {
        lock (_gate)
        {
            if (_program != 0 && !isKey) ChildProcess.Signal(_program, signal);
            else if (_program == 0 && !isIgnored) _early.Add(signal); // whoever signalled it: the program has not seen it
        }
    }

    /// <summary>What .NET's handlers are for, who do not tell a key from a program.</summary>
    private IEnumerable<int> Handled => _keys is null ? [.. Keys, .. Others] : Others;

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
