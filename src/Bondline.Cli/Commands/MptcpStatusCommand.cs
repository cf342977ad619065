using System.CommandLine;
using System.Text.Json;
using Bondline.Cli.Multipath;
using Bondline.Linux;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp status</c>: what the kernel's MPTCP is set to, and what is missing for it to use every network.</summary>
internal static class MptcpStatusCommand
{
    public static Command Create(CommandHost host)
    {
        var command = new Command("status", "Show whether MPTCP would use several networks from here, and what is missing. Exits with 0 if it would, or if mptcpd decides that.");
        command.SetAction(async (line, stop) =>
        {
            var code = ExitCode.Success;
            await MptcpCommand.GuardAsync(async () => code = await RunAsync(host, line.GetValue(CommonOptions.Json), stop));
            return (int)code;
        });
        return command;
    }

    private static async Task<ExitCode> RunAsync(CommandHost host, bool isJson, CancellationToken stop)
    {
        var system = host.Multipath();
        IReadOnlyList<NetworkInterfaceState> interfaces;
        using (var watch = system.WatchInterfaces()) interfaces = await watch.NextAsync(stop);
        List<Advice> unreadable = [];
        var journal = TryRead(() => MultipathJournal.OfNamespace(system), unreadable);
        var persistent = TryRead(() => MultipathJournal.Persistent(system), unreadable);
        var status = MultipathStatus.Make(system.ReadFacts(interfaces), []);
        // A file that says nothing is there all the same, and so something was enabled.
        var view = MultipathStatusLine.From(
            status with { Advice = [.. unreadable, .. status.Advice] }, Environment.OSVersion.Version.ToString(3),
            isEnabledByBondline: journal is not { Exists: false }, isPersistent: persistent is not { Changes.Count: 0 });
        if (isJson) await host.Output.WriteLineAsync(JsonSerializer.Serialize(view, MultipathStatusJson.Lines.MultipathStatusLine));
        else Print(host.Output, view);
        return view.Code is null ? ExitCode.Success : ErrorTable.ExitCodeOf(view.Code);
    }

    private static MultipathJournal? TryRead(Func<MultipathJournal> read, List<Advice> unreadable)
    {
        try
        {
            return read();
        }
        catch (CommandException why)
        {
            unreadable.Add(new($"{why.Message} ({why.Code}){(why.Next is null ? "" : $": {char.ToLowerInvariant(why.Next[0])}{why.Next[1..]}")}"));
            return null;
        }
    }

    private static void Print(TextWriter output, MultipathStatusLine view)
    {
        output.WriteLine(Verdict(view));
        if (!view.IsSupported) return;
        output.WriteLine();
        Table(output, "Settings (sysctl)", view.Settings.Select(setting => (string[])[$"{setting.Name} = {setting.Value}", setting.Meaning ?? ""]));
        Table(output, "Limits", view.Limits is { } limits ? [[$"{limits.Subflows} subflows beside a connection's first one", $"{limits.AddAddrAccepted} announced addresses of the peer used"]] : [["cannot be seen by this user"]]);
        Table(output, "Endpoints", view.Endpoints is null ? [["cannot be seen by this user"]] : view.Endpoints.Count == 0 ? [["none"]]
            : view.Endpoints.Select(endpoint => (string[])[$"id {endpoint.Id}", endpoint.Address + (endpoint.Port is { } port ? $" port {port}" : ""), endpoint.Interface ?? "no interface", string.Join(' ', endpoint.Flags)]));
        Table(output, "Interfaces", view.Interfaces.Select(each => (string[])
        [
            each.Interface,
            each.IsUsed ? "can be used" : $"left out: {each.Detail}",
            each.Addresses.Count == 0 ? "no address" : string.Join(' ', each.Addresses),
            each.DefaultRoutes.Count == 0 ? "no default route" : $"default {string.Join("; ", each.DefaultRoutes)}",
        ]));
        Table(output, "Who else sees to it", Managers(view));
        List(output, "Missing (\"sudo bondline mptcp enable\" does all of it that can be done)", view.Missing);
        List(output, "Advice", view.Advice);
        output.WriteLine("Security");
        foreach (var line in MultipathStatus.Security) output.WriteLine($"  {line}");
    }

    private static string Verdict(MultipathStatusLine view) => view.Code switch
    {
        null when view.Networks.Count > 1 => $"Multipath works from here: new connections use {string.Join(" and ", view.Networks)}, if the other end has MPTCP too.",
        null => "mptcpd decides for each connection which networks it uses.",
        "mptcp-missing" => "This kernel has no MPTCP, or hides it from this program (mptcp-missing): it takes Linux 5.7 or later, built with CONFIG_MPTCP.",
        "mptcp-off" => "MPTCP is switched off (mptcp-off): no connection uses it.",
        var code => $"MPTCP is on, but would use one network only ({code}).",
    } + (view.IsEnabledByBondline ? $" Enabled by bondline{(view.IsPersistent ? ", over restarts too" : "")}." : view.IsPersistent ? " Enabled by bondline when the machine starts." : "");

    private static IEnumerable<string[]> Managers(MultipathStatusLine view)
    {
        if (view.NetworkManager is { } version)
        {
            var managed = view.Interfaces.Where(each => each.NetworkManagerConnection is not null).Select(each => each.Interface).ToList();
            yield return [$"NetworkManager {version}", !NetworkManagerState.KnowsMultipath(version) ? "is too old to know of MPTCP" : managed.Count > 0 ? $"adds endpoints for {string.Join(", ", managed)} itself, unless their connection.mptcp-flags say otherwise" : "manages none of these interfaces"];
        }

        if (view.IsMptcpdRunning) yield return ["mptcpd", "keeps endpoints itself; bondline does not, beside it"];
        if (view is { NetworkManager: null, IsMptcpdRunning: false }) yield return ["nobody"];
    }

    private static void Table(TextWriter output, string title, IEnumerable<string[]> rows)
    {
        output.WriteLine(title);
        var lines = rows.Select(row => row.Select(MultipathReport.Clean).ToArray()).ToList();
        for (var column = 0; column < lines.Select(line => line.Length).DefaultIfEmpty().Max() - 1; column++)
        {
            var width = lines.Where(line => line.Length > column).Max(line => line[column].Length);
            foreach (var line in lines.Where(line => line.Length > column + 1)) line[column] = line[column].PadRight(width);
        }

        foreach (var line in lines) output.WriteLine($"  {string.Join("   ", line).TrimEnd()}");
        output.WriteLine();
    }

    private static void List(TextWriter output, string title, IReadOnlyList<Advice> advice)
    {
        if (advice.Count == 0) return;
        output.WriteLine(title);
        foreach (var each in advice)
        {
            output.WriteLine($"  - {MultipathReport.Capital(each.Text)}.");
            if (each.Command is not null) output.WriteLine($"      {MultipathReport.Clean(each.Command)}");
        }

        output.WriteLine();
    }
}
