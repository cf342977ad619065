using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>What <c>bondline mptcp watch</c> does, done by an agent that the kernel's MPTCP carries, for as long as it runs and where it may.</summary>
/// <remarks>Asked for the carrier, it sets the kernel up as <c>enable</c> does and undoes that at its end; where MPTCP was enabled before, it follows the networks and leaves the rest.</remarks>
/// <param name="system">The machine.</param>
/// <param name="note">Takes a sentence for the user.</param>
internal sealed class CarrierNetworks(IMultipathSystem system, Action<string> note) : IMultipathWatchReport
{
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the kernel is set up, or will not be. A connection made before never gets more than one subflow: the kernel looks for endpoints when it begins.</summary>
    public Task WhenReady => _ready.Task;

    /// <summary>Runs until <paramref name="stop"/>, or until there is nothing to follow.</summary>
    /// <param name="isAskedFor">The user wants the kernel to carry; else only what was enabled is followed.</param>
    /// <param name="stop">Ends it.</param>
    public async Task RunAsync(bool isAskedFor, CancellationToken stop)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // the agent's start does not wait for netlink
        try
        {
            if (!system.MayChange) return;
            var wasEnabled = MultipathJournal.OfNamespace(system).Exists || MultipathJournal.Persistent(system).Exists;
            if (!isAskedFor && !wasEnabled) return;
            try
            {
                await new MultipathWatch(system, [], this, TimeProvider.System).RunAsync(stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // the agent ends
            }
            finally
            {
                if (!wasEnabled) new MultipathEnabling(system).Disable((_, _) => { }, CancellationToken.None);
            }
        }
        catch (CommandException why)
        {
            Failed(why);
        }
        catch (MultipathException why)
        {
            note($"kernel MPTCP: {why.Message}");
        }
        finally
        {
            _ready.TrySetResult();
        }
    }

    public void Ready() => _ready.TrySetResult();

    public void Following(MultipathPlan plan, IEnumerable<Advice> advice)
    {
        foreach (var each in plan.Notes) note($"kernel MPTCP: {each}");
    }

    public void Changing(MultipathChange change) => note($"kernel MPTCP: {change.Command}");

    public void Remark(MultipathChange change, string remark) => note($"kernel MPTCP: {remark}");

    public void Added(string interfaceName, EndpointPlace place) => note($"kernel MPTCP may use {interfaceName} ({place.Address})");

    public void Deleted(string interfaceName, EndpointPlace place, LeftOut why) => note($"kernel MPTCP leaves {interfaceName} ({place.Address}): {why.Detail}");

    public void Failed(CommandException why) => note($"kernel MPTCP: {ErrorReport.Line(why.Code, why.Message, why.Next)}");
}
