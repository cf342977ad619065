namespace Bondline.Cli.Multipath;

/// <summary>What this program made before on interfaces that NetworkManager is to see to from now on.</summary>
/// <remarks>
/// Where it applies a connection, an endpoint that is there becomes its own, and goes with the flags that want it; the routes of others it takes away.
/// </remarks>
internal sealed class ConnectionHandover
{
    private readonly IMultipathSystem _system;
    private readonly MultipathJournal _journal;
    private readonly MultipathFacts _facts;
    private readonly List<EndpointChange> _endpoints;
    private readonly List<RouteChange> _routes;

    /// <param name="system">The machine.</param>
    /// <param name="journal">Where it stands what was made.</param>
    /// <param name="facts">The machine as it is before.</param>
    /// <param name="connections">What is about to be changed.</param>
    public ConnectionHandover(IMultipathSystem system, MultipathJournal journal, MultipathFacts facts, IEnumerable<ConnectionChange> connections)
    {
        (_system, _journal, _facts) = (system, journal, facts);
        var interfaces = connections.Select(IndexOf).ToHashSet();
        _endpoints = [.. journal.Changes.OfType<EndpointChange>().Where(ours => interfaces.Contains(ours.InterfaceIndex))];
        _routes = [.. journal.Changes.OfType<RouteChange>().Where(ours => interfaces.Contains(ours.InterfaceIndex) && !ours.IsMissing(facts, system))];
        Restores = [.. _endpoints.Where(ours => !ours.IsMissing(facts, system)).Select(ours => (Action)(() => HaveBack(ours))), .. _routes.Select(ours => (Action)(() => ours.Make(system)))];
    }

    /// <summary>Bring back, each of them, what goes when the connections are changed back; they fail where it did not go.</summary>
    public IReadOnlyList<Action> Restores { get; }

    /// <summary>NetworkManager takes the change when it connects again, and no endpoint until then.</summary>
    public void Postpone(ConnectionChange connection) => _endpoints.RemoveAll(ours => ours.InterfaceIndex == IndexOf(connection));

    /// <summary>The connections are changed: what NetworkManager keeps is not written down as ours any more, and what it took away is there again.</summary>
    public void Complete()
    {
        foreach (var theirs in _endpoints) Try(() => _journal.Remove(theirs));
        foreach (var ours in _routes) Try(() => ours.Make(_system));
    }

    private int IndexOf(ConnectionChange connection) => _facts.Interfaces.FirstOrDefault(each => each.Name == connection.Interface)?.Index ?? 0;

    private void HaveBack(EndpointChange ours)
    {
        _journal.Add(ours);
        ours.Make(_system);
    }

    private static void Try(Action work)
    {
        try
        {
            work();
        }
        catch (CommandException)
        {
            // The route did not go; or the endpoint stays written down, which does no harm: undone twice it is undone once.
        }
    }
}
