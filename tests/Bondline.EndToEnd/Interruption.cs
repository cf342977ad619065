using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Ctrl-C as a shell sends it, and the end it brings about.</summary>
internal static class Interruption
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>The first Ctrl-C, and the word that it was heard: a second one before that is the same one to the system.</summary>
    /// <param name="process">The program.</param>
    /// <param name="heard">What it says on standard error then.</param>
    public static async Task InterruptAsync(this LabProcess process, string heard)
    {
        await process.SignalAsync("INT");
        await process.WaitForErrorAsync(error => error.Contains(heard, StringComparison.Ordinal), $"\"{heard}\"", Patience);
    }

    public static async Task<ProcessResult> EndAsync(this LabProcess process)
    {
        using var late = new CancellationTokenSource(Patience);
        return await process.WaitAsync(late.Token);
    }
}
