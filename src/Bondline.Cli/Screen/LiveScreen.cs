using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Text;
using Bondline.Agent;
using Bondline.Linux;
using Bondline.Protocol;

namespace Bondline.Cli.Screen;

/// <summary>The live screen on a terminal: one thread of its own reads the keys and draws. The terminal is given back however the program ends.</summary>
[SupportedOSPlatform("linux")]
internal sealed class LiveScreen : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100), FirstTick = TimeSpan.FromMilliseconds(20), SampleEvery = TimeSpan.FromMilliseconds(250);

    /// <summary>A terminal that takes nothing more must not hold up the end.</summary>
    private static readonly TimeSpan LeavePatience = TimeSpan.FromSeconds(1);

    private readonly LinuxTerminal _terminal;
    private readonly TerminalCapabilities _capabilities;
    private readonly ScreenModel _model;
    private readonly Action _quit;
    private readonly TimeProvider _time;
    private readonly Painter _painter;
    private readonly Thread _thread;
    private readonly Lock _gate = new(); // who writes, and whether the screen is up
    private readonly List<PosixSignalRegistration> _signals = [];
    private TunnelAgent? _agent;
    private bool _isUp;
    private volatile bool _isOver, _isStopped;
    private volatile Overlay _overlay;
    private int _overlayTunnel;

    private LiveScreen(LinuxTerminal terminal, TerminalCapabilities capabilities, ScreenModel model, Action quit, TimeProvider time)
    {
        (_terminal, _capabilities, _model, _quit, _time) = (terminal, capabilities, model, quit, time);
        _painter = new(capabilities);
        _thread = new Thread(Run) { IsBackground = true, Name = "screen" };
    }

    /// <summary>Takes the terminal, if there is one that can show a screen.</summary>
    /// <param name="environment">Tells what the terminal can do.</param>
    /// <param name="model">What to show.</param>
    /// <param name="startsWithQrCode">The first thing shown is the URL as a QR code.</param>
    /// <param name="quit">The key for it was pressed.</param>
    /// <param name="time">For its rhythm.</param>
    public static LiveScreen? TryStart(Func<string, string?> environment, ScreenModel model, bool startsWithQrCode, Action quit, TimeProvider time)
    {
        if (TerminalCapabilities.Detect(environment) is not { } capabilities || LinuxTerminal.TryOpen() is not { IsForeground: true } terminal) return null;
        var screen = new LiveScreen(terminal, capabilities, model, quit, time) { _overlay = startsWithQrCode ? Overlay.QrCode : Overlay.None };
        screen.Watch();
        screen._thread.Start();
        return screen;
    }

    /// <summary>Whom the numbers come from and the keys are for, once there is one.</summary>
    public void Follow(TunnelAgent agent) => Volatile.Write(ref _agent, agent);

    /// <summary>Gives the terminal back for good: what is printed from now on stays.</summary>
    public void Leave()
    {
        _isOver = true;
        Suspend();
    }

    public void Dispose()
    {
        Leave();
        AppDomain.CurrentDomain.UnhandledException -= HandleUnhandled;
        foreach (var signal in _signals) signal.Dispose();
    }

    private void Watch()
    {
        AppDomain.CurrentDomain.UnhandledException += HandleUnhandled;
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTSTP, context =>
        {
            context.Cancel = true;
            _isStopped = true;
            Suspend();
            LinuxTerminal.Suspend();
            _isStopped = false;
        }));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => Suspend())); // a shell has set the terminal as it likes; the screen comes back with the next tick
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGQUIT, _ => Leave()));
    }

    private void HandleUnhandled(object sender, UnhandledExceptionEventArgs arguments) => Leave();

    private void Suspend()
    {
        if (!_gate.TryEnter(LeavePatience))
        {
            _terminal.Restore();
            return;
        }
        try
        {
            if (!_isUp) return;
            _isUp = false;
            Write(Painter.Leave);
            _terminal.Restore();
        }
        finally
        {
            _gate.Exit();
        }
    }

    private void Run()
    {
        Span<byte> keys = stackalloc byte[64];
        var (shown, sampled) = (default(ScreenView), 0L);
        while (!_isOver)
        {
            if (_isUp || TryEnter())
            {
                var agent = Volatile.Read(ref _agent);
                if (agent is not null && (sampled == 0 || _time.GetElapsedTime(sampled) >= SampleEvery))
                {
                    sampled = _time.GetTimestamp();
                    _model.Sample(agent.Snapshot());
                }
                shown = _model.View() with { HasKeys = _terminal.HasKeys, Overlay = _overlay, OverlayTunnel = _overlayTunnel, Mode = agent?.Mode ?? default };
                Draw(shown);
            }
            var count = _terminal.ReadKeys(keys, shown is { Tunnels: [{ Url: null }, ..] } ? FirstTick : Tick);
            if (count > 0) Handle(Encoding.ASCII.GetString(keys[..count]), shown);
        }
    }

    private bool TryEnter()
    {
        lock (_gate)
        {
            if (_isOver || _isStopped || !_terminal.IsForeground) return false; // a shell runs us in the background
            _terminal.MakeRaw();
            _painter.Forget();
            return _isUp = Write(Painter.Enter);
        }
    }

    private void Draw(ScreenView view)
    {
        var (width, height) = _terminal.Size;
        var lines = ScreenLayout.Compose(view, width, height, _capabilities);
        lock (_gate)
        {
            if (!_isUp) return;
            if (_painter.Paint(lines, width, height) is { Length: > 0 } output && !Write(output)) _isOver = true; // the terminal is gone
        }
    }

    private void Handle(string keys, ScreenView? shown)
    {
        if (keys[0] == '\e')
        {
            if (keys.Length == 1) _overlay = Overlay.None; // others are keys without a meaning here
            return;
        }
        foreach (var key in keys)
        {
            switch (key)
            {
                case 'q':
                    _quit();
                    return;
                case 'c' when _overlay == Overlay.QrCode && _overlayTunnel + 1 < shown?.Tunnels.Count:
                    _overlayTunnel++;
                    break;
                case 'c':
                    (_overlay, _overlayTunnel) = (_overlay == Overlay.QrCode ? Overlay.None : Overlay.QrCode, 0);
                    break;
                case 'i':
                    _overlay = _overlay == Overlay.LeftOut ? Overlay.None : Overlay.LeftOut;
                    break;
                case 'p':
                    _overlay = _overlay == Overlay.Pause ? Overlay.None : Overlay.Pause;
                    break;
                case 'm':
                    _overlay = _overlay == Overlay.Mode ? Overlay.None : Overlay.Mode;
                    break;
                case >= '1' and <= '9' when _overlay == Overlay.Pause && key - '1' < shown?.Paths.Count:
                    var path = shown.Paths[key - '1'].Name;
                    _agent?.ChangePolicy(path, _model.TogglePause(path));
                    break;
                case >= '1' and <= '9' when _overlay == Overlay.Mode && key - '1' < BondModes.All.Count:
                    ChangeMode(BondModes.All[key - '1'].Mode);
                    _overlay = Overlay.None;
                    break;
                case '?' or 'h':
                    _overlay = _overlay == Overlay.Help ? Overlay.None : Overlay.Help;
                    break;
                case '\f': // Ctrl-L
                    lock (_gate) _painter.Forget();
                    break;
                default:
                    _overlay = Overlay.None;
                    break;
            }
        }
    }

    private void ChangeMode(BondMode mode)
    {
        if (_agent is not { } agent || agent.Mode == mode) return;
        agent.ChangeMode(mode);
        if (agent.Mode == mode) _model.Note(EventKind.Note, $"mode {BondModes.Name(mode)}");
    }

    private static bool Write(string text) => LinuxTerminal.Write(Encoding.UTF8.GetBytes(text));
}
