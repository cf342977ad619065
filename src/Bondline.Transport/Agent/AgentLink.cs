namespace Bondline.Transport;

/// <summary>Keeps one bond to a relay for as long as it runs: watches the interfaces, dials, joins, resumes, and opens a new bond when the relay has forgotten the old one.</summary>
public sealed class AgentLink : IAsyncDisposable
{
    public AgentLink(AgentLinkOptions options) => ArgumentNullException.ThrowIfNull(options);

    /// <summary>Raised when a path's state, reason or rounded RTT changed; on any thread, one at a time. Handlers return quickly and throw nothing.</summary>
    public event Action<PathReport>? PathChanged { add { } remove { } }

    /// <summary>Every interface of the machine, used or left out, as last reported.</summary>
    public IReadOnlyList<PathReport> Paths => [];

    /// <summary>Runs until <paramref name="stop"/> is cancelled, which ends it without an exception after the relay was told.</summary>
    /// <param name="onBond">Run once per bond: registers tunnels, accepts streams. Its token is cancelled when that bond is over; its exception ends the link.</param>
    /// <param name="stop">Ends the link.</param>
    /// <exception cref="BondRefusedException">The relay refused us for good, or we it.</exception>
    public Task RunAsync(Func<AgentBond, CancellationToken, Task> onBond, CancellationToken stop) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
