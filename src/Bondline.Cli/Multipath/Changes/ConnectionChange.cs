namespace Bondline.Cli.Multipath;

/// <summary>A connection of NetworkManager's, which adds and deletes the endpoints of the interfaces it manages itself.</summary>
/// <param name="Connection">Its UUID.</param>
/// <param name="Interface">Where it is active now.</param>
/// <param name="Flags">The new <c>connection.mptcp-flags</c>.</param>
/// <param name="Was">The ones before.</param>
/// <param name="HadEndpoint">The interface had an endpoint before, other than one this program made.</param>
internal sealed record ConnectionChange(string Connection, string Interface, string Flags, string Was, bool HadEndpoint) : MultipathChange
{
    /// <summary>0x2 enabled, 0x20 subflow: NMMptcpFlags of libnm.</summary>
    public const string Ordinary = "0x22";

    /// <summary>The same, 0x8 also where NetworkManager sets no default route.</summary>
    public const string WithoutRoute = "0x2a";

    private const string Setting = "connection.mptcp-flags";

    private const string Disabled = "0x1";

    /// <returns>What is set now; null if there is no such connection, or this NetworkManager (before 1.40) knows of no MPTCP.</returns>
    public static string? Read(IMultipathSystem system, string connection)
    {
        var answer = system.Run("nmcli", "-g", Setting, "connection", "show", connection);
        var flags = answer.Output.Trim();
        return answer.ExitCode == 0 && flags.Length > 0 ? flags : null;
    }

    public override string? Make(IMultipathSystem system)
    {
        Modify(system, Flags);
        return Reapply(system, Interface) ? null : $"it holds once {Interface} is connected again (nmcli device reapply {Interface})";
    }

    public override UndoResult Undo(IMultipathSystem system)
    {
        var now = Read(system, Connection);
        if (now is null) return new(UndoOutcome.Gone, "NetworkManager has no such connection any more");
        if (now == Was)
        {
            if (HadEndpoint) Reapply(system, Interface); // it may not have come to that last time
            return new(UndoOutcome.Gone);
        }

        if (now != Flags && now != Disabled) return new(UndoOutcome.Left, $"somebody set it to {now} meanwhile");
        if (!HadEndpoint)
        {
            // By the former flags NetworkManager may keep the endpoint for as long as MPTCP is on. If the interface is not connected now, there is none.
            Modify(system, Disabled);
            Reapply(system, Interface);
        }

        Modify(system, Was);
        if (HadEndpoint) Reapply(system, Interface); // which stays, with its subflows, if the former flags want it too
        return new(UndoOutcome.Undone);
    }

    protected override ChangeWords Describe() => new(
        "connection",
        $"have NetworkManager keep an endpoint for {Interface}",
        $"nmcli connection modify {Connection} {Setting} {Flags}",
        $"nmcli connection modify {Connection} {Setting} {Was}; nmcli device reapply {Interface}");

    private void Modify(IMultipathSystem system, string flags)
    {
        var result = system.Run("nmcli", "connection", "modify", Connection, Setting, flags);
        if (result.ExitCode != 0)
            throw new CommandException("service-refused", $"NetworkManager does not change the connection on {Interface}: {result.Reason}", "Look at what nmcli says, or leave --persist out");
    }

    private static bool Reapply(IMultipathSystem system, string device) => system.Run("nmcli", "device", "reapply", device).ExitCode == 0;
}
