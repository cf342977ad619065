namespace Bondline.Cli;

/// <summary>What <c>--stats</c> does.</summary>
internal static class EverySecond
{
    /// <summary>Calls <paramref name="report"/> once a second until <paramref name="stop"/> is cancelled.</summary>
    public static async Task RunAsync(Action report, CancellationToken stop)
    {
        using var second = new PeriodicTimer(TimeSpan.FromSeconds(1));
        try
        {
            while (await second.WaitForNextTickAsync(stop)) report();
        }
        catch (OperationCanceledException)
        {
            // Nobody asks any more.
        }
    }
}
