using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>What <c>bondline mptcp watch</c> does, done by an agent that the kernel's MPTCP carries, for as long as it runs and where it may.</summary>
/// <remarks>
/// Asked for the carrier, it sets the kernel up as <c>enable</c> does, and undoes that at its end if no other agent needs it and nobody has enabled it meanwhile.
/// What a user has enabled, before or while it runs, it follows, over the interfaces that were named then, and leaves.
/// </remarks>
/// <param name="system">The machine.</param>
/// <param name="note">Takes a sentence for the user.</param>
internal sealed class CarrierNetworks(IMultipathSystem system, Action<string> note) : IMultipathWatchReport
{
    // Nobody tells when MPTCP is enabled.
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the kernel is set up, or will not be. A connection made before never gets more than one subflow: the kernel looks for endpoints when it begins.</summary>
    public Task WhenReady => _ready.Task;

    /// <summary>Runs until <paramref name="stop"/>, or until something cannot be done. Faults never.</summary>
    /// <param name="isAskedFor">The user wants the kernel to carry; else only what was enabled is followed.</param>
    /// <param name="stop">Ends it.</param>
    public async Task RunAsync(bool isAskedFor, CancellationToken stop)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // the agent's start does not wait for netlink
        try
        {
            if (system.MayChange) await FollowAsync(isAskedFor, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // the agent ends
        }
        catch (CommandException why)
        {
            Failed(why);
        }
        catch (MultipathException why)
        {
            note($"kernel MPTCP: {why.Message}");
        }
        catch (Exception bug) // the agent goes on without
        {
            note($"kernel MPTCP is not followed: {bug.GetType().Name}: {bug.Message}");
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

    private async Task FollowAsync(bool isAskedFor, CancellationToken stop)
    {
        try
        {
            var isFirst = true;
            while (true)
            {
                // Once somebody has disabled it, it is theirs to enable again.
                if (isAskedFor && isFirst) await new MultipathWatch(system, null, this, TimeProvider.System, Environment.ProcessId).RunAsync(stop);
                else if (MultipathJournal.OfNamespace(system).Exists) await new MultipathWatch(system, null, this, TimeProvider.System).RunAsync(stop);
                isFirst = false;
                _ready.TrySetResult();
                await Task.Delay(Look, stop);
            }
        }
        finally
        {
            if (isAskedFor) Leave();
        }
    }

    private void Leave()
    {
        try
        {
            new MultipathEnabling(system).Leave(Environment.ProcessId);
        }
        catch (CommandException why)
        {
            note($"the kernel's MPTCP stays as it was set up for this agent: {why.Message}; \"sudo bondline mptcp disable\" undoes it");
        }
    }
}
