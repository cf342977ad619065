using System.Runtime.InteropServices;

namespace Bondline.Cli;

/// <summary>Ctrl-C, SIGTERM and SIGHUP as two tokens: the first signal asks to finish what is running, the second to end at once.</summary>
/// <param name="isOfProcess">False for a command that runs inside another program, which keeps its signals and calls <see cref="Raise"/>.</param>
internal sealed class StopSignals(bool isOfProcess) : IDisposable
{
    private readonly CancellationTokenSource drain = new();
    private readonly CancellationTokenSource now = new();
    private readonly List<PosixSignalRegistration> registrations = [];

    /// <summary>Finish what is running, take nothing new.</summary>
    public CancellationToken Drain => drain.Token;

    /// <summary>Leave everything as it is and end.</summary>
    public CancellationToken Now => now.Token;

    /// <summary>Takes the signals over from the runtime; until then they end the process as usual.</summary>
    public void Listen()
    {
        if (!isOfProcess || registrations.Count > 0) return;
        foreach (var signal in (ReadOnlySpan<PosixSignal>)[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
            registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                Raise();
            }));
    }

    /// <summary>What a signal does.</summary>
    public void Raise()
    {
        if (drain.IsCancellationRequested) now.Cancel();
        else drain.Cancel();
    }

    public void Dispose()
    {
        foreach (var registration in registrations) registration.Dispose();
        drain.Dispose();
        now.Dispose();
    }
}
