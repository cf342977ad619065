using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>One link after another dies for three seconds and heals for three, until this is disposed.</summary>
internal sealed class FlappingPaths : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(3);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _flapping;

    public FlappingPaths(LabNetwork network) => _flapping = FlapAsync(network, _stop.Token);

    /// <summary>How often a link has died.</summary>
    public int Deaths { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _flapping;
        _stop.Dispose();
    }

    private async Task FlapAsync(LabNetwork network, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Period);
        for (var i = 0; ; i++)
        {
            var link = network.Links[i % network.Links.Count];
            try
            {
                await link.SilenceAsync();
                Deaths++;
                await timer.WaitForNextTickAsync(stop);
                await link.HealAsync();
                await timer.WaitForNextTickAsync(stop);
            }
            catch (OperationCanceledException)
            {
                await link.HealAsync();
                return;
            }
        }
    }
}
