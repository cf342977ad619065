using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>Passes the signals of this process on to the program it stands in for.</summary>
/// <remarks>A key of the terminal signals every process of the foreground group, the program too: that is not passed on, or it would come twice. What a program sends is.</remarks>
public sealed partial class SignalRelay : IDisposable
{
    private const int Ignore = 1; // SIG_IGN
    private const int ActionLength = 256; // more than struct sigaction of any C library
    private const int ReadOnly = 0, NoControl = 0x100, CloseOnExec = 0x80000; // O_NOCTTY, O_CLOEXEC

    // SIGINT, QUIT.
    private static readonly int[] Keys = [2, 3];

    // SIGHUP, USR1, USR2, ALRM, TERM, VTALRM, PROF, IO, PWR: what else others send. The rest are about this process itself, or cannot be had.
    private static readonly int[] Others = [1, 10, 12, 14, 15, 26, 27, 29, 30];

    private readonly Lock _gate = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Dictionary<int, byte[]> _ignored = []; // with the handlers that they get later
    private readonly BlockedSignals? _keys;
    private readonly List<int> _early = [];
    private int _program;

    /// <summary>From now on signals wait for a program; those that are ignored stay so, for the program to be started the same.</summary>
    /// <remarks>Call it before anything has started threads, or a signal that somebody sends while this process is in a terminal's foreground is taken for a key.</remarks>
    public SignalRelay()
    {
        var ignored = Keys.Concat(Others).Where(IsIgnored).ToArray();
        _keys = BlockedSignals.TryBlock(Keys, (signal, isKey) => Pass(signal, isKey, ignored.Contains(signal))); // what is blocked comes, also if it is ignored
        int[] handled = _keys is null ? [.. Keys, .. Others] : Others;
        Handle(handled, [.. handled.Intersect(ignored)]);
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
        foreach (var (signal, handler) in _ignored) _ = sigaction(signal, handler, null); // the program may ignore them no more
    }

    /// <summary>The program has ended: its id may be another's soon. To be called on the thread that made this.</summary>
    public void Dispose()
    {
        lock (_gate) _program = 0;
        foreach (var registration in _registrations) registration.Dispose();
        _keys?.Dispose();
    }

    // .NET has no handler for what is ignored as it looks, and never looks again; at SIGINT and SIGQUIT it looks with the first handler of all. So for that
    // moment they are not: any function will do that does nothing with a number, for what comes meanwhile.
    private void Handle(IEnumerable<int> signals, IReadOnlyList<int> ignored)
    {
        foreach (var number in ignored) _ = signal(number, NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "abs"));
        foreach (var number in signals)
        {
            _registrations.Add(PosixSignalRegistration.Create((PosixSignal)number, context =>
            {
                context.Cancel = true;
                Pass(number, isKey: Keys.Contains(number) && IsForeground(), ignored.Contains(number));
            }));
        }

        foreach (var number in ignored)
        {
            var handler = new byte[ActionLength];
            if (sigaction(number, null, handler) == 0) _ignored[number] = handler;
            _ = signal(number, Ignore);
        }
    }

    private void Pass(int signal, bool isKey, bool isIgnored)
    {
        lock (_gate)
        {
            if (_program != 0 && !isKey) ChildProcess.Signal(_program, signal);
            else if (_program == 0 && !isIgnored) _early.Add(signal); // whoever signalled it: the program has not seen it
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
        var action = new byte[ActionLength];
        return sigaction(number, null, action) == 0 && MemoryMarshal.Read<nint>(action) == Ignore; // the handler comes first
    }

    [LibraryImport("libc")]
    private static partial int sigaction(int number, byte[]? action, byte[]? old);

    [LibraryImport("libc")]
    private static partial nint signal(int number, nint handler);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);

    [LibraryImport("libc")]
    private static partial int tcgetpgrp(int terminal);

    [LibraryImport("libc")]
    private static partial int getpgrp();
}
