using Bondline.Cli.Multipath;

namespace Bondline.Cli.Tests.Multipath;

/// <summary>A watch that follows the networks of a machine until the test is over.</summary>
internal sealed class RunningWatch : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();

    public WatchReport Report { get; } = new();

    /// <summary>What <see cref="MultipathWatch.RunAsync"/> gave.</summary>
    public Task<bool> Running { get; private set; } = Task.FromResult(false);

    public void Begin(FakeMachine machine, IReadOnlyList<string>? names) => Running = new MultipathWatch(machine, names, Report, TimeProvider.System).RunAsync(_stop.Token);

    public Task StopAsync() => _stop.CancelAsync();

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await Task.WhenAny(Running);
        _stop.Dispose();
    }
}
