using System.Runtime.InteropServices;

namespace Bondline.Cli;

/// <summary>Ctrl-C, SIGTERM and SIGHUP as two tokens: the first signal asks to finish what is running, the second to end at once.</summary>
/// <param name="isOfProcess">False for a command that runs inside another program, which keeps its signals and calls <see cref="Raise"/>.</param>
internal sealed class StopSignals(bool isOfProcess) : IDisposable
{
    private readonly CancellationTokenSource _drain = new();
    private readonly CancellationTokenSource _now = new();
    private readonly List<PosixSignalRegistration> _registrations = [];

    /// <summary>Finish what is running, take nothing new.</summary>
    public CancellationToken Drain => _drain.Token;

    /// <summary>Leave everything as it is and end.</summary>
    public CancellationToken Now => _now.Token;

    /// <summary>Takes the signals over from the runtime; until then they end the process as usual.</summary>
    public void Listen()
    {
        if (!isOfProcess || _registrations.Count > 0) return;
        foreach (var signal in (ReadOnlySpan<PosixSignal>)[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
            _registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                Raise();
            }));
    }

    /// <summary>What a signal does.</summary>
    public void Raise()
    {
        if (_drain.IsCancellationRequested) _now.Cancel();
        else _drain.Cancel();
    }

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
        _drain.Dispose();
        _now.Dispose();
    }
}
