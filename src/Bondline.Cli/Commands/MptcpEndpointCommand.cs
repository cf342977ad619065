using System.CommandLine;
using System.Text.Json;
using Bondline.Linux;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp endpoint add|delete|change|list|flush</c>, in the words of <c>ip mptcp endpoint</c>.</summary>
internal static class MptcpEndpointCommand
{
    public static Command Create(CommandHost host) => new("endpoint", "The local addresses MPTCP connections may use.")
    {
        CreateAdd(host),
        CreateDelete(host),
        CreateChange(host),
        CreateList(host),
        CreateFlush(host),
    };

    private static Command CreateAdd(CommandHost host)
    {
        var words = Words("ADDRESS [dev NAME] [id NUMBER] [port NUMBER] and any of: subflow (open a subflow from here: for clients), signal (announce it: for servers), backup, fullmesh, laminar.");
        var command = new Command("add", "Add an endpoint, and open its subflows on connections there are.") { words };
        command.SetAction((line, stop) => MptcpCommand.GuardAsync(() => AddAsync(host, line, EndpointWords.Parse(line.GetRequiredValue(words)), stop)));
        return command;
    }

    private static Command CreateDelete(CommandHost host)
    {
        var words = Words("ADDRESS [port NUMBER], or id NUMBER. id 0 ADDRESS ends the first subflow of connections that began at that address.");
        var command = new Command("delete", "Delete an endpoint, and close its subflows.") { words };
        command.SetAction((line, stop) => MptcpCommand.GuardAsync(() => DeleteAsync(host, line, EndpointWords.Parse(line.GetRequiredValue(words)), stop)));
        return command;
    }

    private static Command CreateChange(CommandHost host)
    {
        var words = Words("ADDRESS [port NUMBER], or id NUMBER, and any of: backup, nobackup, fullmesh, nofullmesh.");
        var command = new Command("change", "Change an endpoint, on connections there are too.") { words };
        command.SetAction((line, stop) => MptcpCommand.GuardAsync(() => ChangeAsync(host, line, EndpointWords.Parse(line.GetRequiredValue(words)), stop)));
        return command;
    }

    private static Command CreateList(CommandHost host)
    {
        var command = new Command("list", "Show all endpoints.");
        command.Aliases.Add("show");
        command.SetAction((line, stop) => MptcpCommand.GuardAsync(async () =>
        {
            using var manager = MultipathPathManager.Open();
            var endpoints = manager.Endpoints();
            var interfaces = await LocalInterfaces.ReadAsync(stop);
            if (line.GetValue(CommonOptions.Json))
            {
                foreach (var endpoint in endpoints) WriteJson(host, endpoint, interfaces);
                return;
            }

            MptcpCommand.NoteIfOff(host, line);
            if (endpoints.Count == 0 && !line.GetValue(CommonOptions.Quiet)) host.Error.WriteLine("There are no endpoints.");
            foreach (var row in Table(endpoints, interfaces)) host.Output.WriteLine(row);
        }));
        return command;
    }

    private static Command CreateFlush(CommandHost host)
    {
        var command = new Command("flush", "Delete all endpoints, and close their subflows.");
        command.SetAction(line => MptcpCommand.Guard(() =>
        {
            using var manager = MultipathPathManager.Open();
            var count = manager.Endpoints().Count;
            manager.Flush();
            Say(host, line, count == 1 ? "1 endpoint is deleted." : $"{count} endpoints are deleted.");
        }));
        return command;
    }

    private static async Task AddAsync(CommandHost host, ParseResult line, EndpointWords words, CancellationToken stop)
    {
        if (words.Address is not { } address) throw new CommandException("usage", "an address is missing", "Give it first: endpoint add 192.0.2.1 dev eth0 subflow");
        if (words.Clear != 0) throw new CommandException("usage", "nobackup and nofullmesh are for \"endpoint change\"");
        if (words.Id == 0) throw new CommandException("usage", "0 is no id for an endpoint", "Leave the id out to let the kernel choose");
        using var manager = MultipathPathManager.Open();
        var interfaces = await LocalInterfaces.ReadAsync(stop);
        var index = words.Device is { } device
            ? interfaces.IndexOf(device) ?? throw new CommandException("usage", $"there is no interface \"{device}\"", "\"ip link\" shows all")
            : 0;
        manager.Add(new(words.Id ?? 0, address, words.Port ?? 0, words.Set, index));
        var added = manager.Endpoints().First(endpoint => endpoint.Address.Equals(address) && endpoint.Port == (words.Port ?? 0));
        if ((words.Set & ~added.Flags) is var ignored and not 0)
        {
            manager.Delete(added.Id);
            throw new CommandException("kernel-too-old", $"this kernel does not know {string.Join(" and ", EndpointWords.NamesOf(ignored))}, so the endpoint was deleted again");
        }

        if (line.GetValue(CommonOptions.Json)) WriteJson(host, added, interfaces);
        Say(host, line, $"Endpoint {address} is added with id {added.Id}.");
        foreach (var note in Notes(added, interfaces)) Say(host, line, $"note: {note}");
        MptcpCommand.NoteIfOff(host, line);
    }

    private static async Task DeleteAsync(CommandHost host, ParseResult line, EndpointWords words, CancellationToken stop)
    {
        if (words.Set != 0 || words.Clear != 0 || words.Device is not null) throw new CommandException("usage", "delete takes an address or an id, and no flags");
        using var manager = MultipathPathManager.Open();
        if (words.Id == 0)
        {
            if (words.Address is not { } first) throw new CommandException("usage", "id 0 needs an address", "Give the address the connections began at");
            manager.Delete(0, first);
            Say(host, line, $"The first subflows from {first} are closed.");
            return;
        }

        var endpoint = Find(manager, words);
        manager.Delete(endpoint.Id);
        if (line.GetValue(CommonOptions.Json)) WriteJson(host, endpoint, await LocalInterfaces.ReadAsync(stop));
        Say(host, line, $"Endpoint {endpoint.Address} with id {endpoint.Id} is deleted.");
    }

    private static async Task ChangeAsync(CommandHost host, ParseResult line, EndpointWords words, CancellationToken stop)
    {
        const MultipathEndpointFlags Changeable = MultipathEndpointFlags.Backup | MultipathEndpointFlags.FullMesh;
        if (words.Device is not null || (words.Set & ~Changeable) != 0)
            throw new CommandException("usage", "only backup and fullmesh of an endpoint can be changed", "For everything else delete it and add it again");
        if ((words.Set | words.Clear) == 0) throw new CommandException("usage", "nothing to change is named", "Give backup, nobackup, fullmesh or nofullmesh");
        using var manager = MultipathPathManager.Open();
        var endpoint = Find(manager, words);
        manager.Change(endpoint with { Flags = (endpoint.Flags | words.Set) & ~words.Clear });
        var changed = manager.Endpoints().FirstOrDefault(other => other.Id == endpoint.Id) ?? endpoint;
        if (line.GetValue(CommonOptions.Json)) WriteJson(host, changed, await LocalInterfaces.ReadAsync(stop));
        Say(host, line, $"Endpoint {changed.Address} with id {changed.Id} is now: {FlagsOf(changed)}.");
    }

    private static MultipathEndpoint Find(MultipathPathManager manager, EndpointWords words)
    {
        if (words.Address is null && words.Id is null) throw new CommandException("usage", "an address or an id is missing", "Give the address, or: id NUMBER");
        MultipathEndpoint[] found =
        [
            .. manager.Endpoints().Where(endpoint =>
                (words.Id is null || endpoint.Id == words.Id) && (words.Address is null || endpoint.Address.Equals(words.Address)) && (words.Port is null || endpoint.Port == words.Port)),
        ];
        var name = (words.Address, words.Id) switch
        {
            ({ } address, { } id) => $"{address} with id {id}",
            ({ } address, null) => address.ToString(),
            _ => $"with id {words.Id}",
        };
        return found switch
        {
            [var one] => one,
            [] => throw new CommandException("endpoint-unknown", $"there is no endpoint {name}", "\"bondline mptcp endpoint list\" shows all"),
            _ => throw new CommandException("usage", $"there are {found.Length} endpoints {name}", "Give the port or the id as well"),
        };
    }

    // What the kernel takes without a word, although it cannot work.
    private static IEnumerable<string> Notes(MultipathEndpoint endpoint, LocalInterfaces interfaces)
    {
        const MultipathEndpointFlags Active = MultipathEndpointFlags.Signal | MultipathEndpointFlags.Subflow | MultipathEndpointFlags.FullMesh | MultipathEndpointFlags.Laminar;
        if ((endpoint.Flags & Active) == 0)
            yield return "without subflow, signal, fullmesh or laminar an endpoint opens and announces nothing.";
        if (endpoint.Flags.HasFlag(MultipathEndpointFlags.Laminar) && Environment.OSVersion.Version < new Version(6, 18))
            yield return $"laminar came with Linux 6.18; this is {Environment.OSVersion.Version.ToString(2)}, which may keep the flag and do nothing with it.";
        if (interfaces.States.Count == 0) yield break;
        var holder = interfaces.NameOf(endpoint.Address);
        if (holder is null)
            yield return $"no interface has the address {endpoint.Address} now, so nothing can start from it.";
        else if (endpoint.InterfaceIndex != 0 && interfaces.NameOf(endpoint.InterfaceIndex) is var bound && bound != holder)
            yield return $"the address {endpoint.Address} is on {holder}, not on {bound}.";
        if (endpoint.InterfaceIndex == 0 && endpoint.Flags.HasFlag(MultipathEndpointFlags.Subflow))
            yield return $"without \"dev {holder ?? "NAME"}\" its subflows go out wherever routing sends them.";
    }

    private static IEnumerable<string> Table(IReadOnlyList<MultipathEndpoint> endpoints, LocalInterfaces interfaces)
    {
        if (endpoints.Count == 0) return [];
        (string Id, string Address, string Name, string Flags)[] rows =
        [
            ("ID", "ADDRESS", "INTERFACE", "FLAGS"),
            .. endpoints.Select(endpoint => ($"{endpoint.Id}", endpoint.Address + (endpoint.Port == 0 ? "" : $" port {endpoint.Port}"), interfaces.NameOf(endpoint.InterfaceIndex) ?? "-", FlagsOf(endpoint))),
        ];
        int id = rows.Max(row => row.Id.Length), address = rows.Max(row => row.Address.Length), name = rows.Max(row => row.Name.Length);
        return rows.Select(row => $"{row.Id.PadLeft(id)}  {row.Address.PadRight(address)}  {row.Name.PadRight(name)}  {row.Flags}");
    }

    private static string FlagsOf(MultipathEndpoint endpoint) => endpoint.Flags == 0 ? "-" : string.Join(' ', EndpointWords.NamesOf(endpoint.Flags));

    private static void WriteJson(CommandHost host, MultipathEndpoint endpoint, LocalInterfaces interfaces) => host.Output.WriteLine(JsonSerializer.Serialize(
        new EndpointLine(endpoint.Id, endpoint.Address.ToString(), endpoint.Port == 0 ? null : endpoint.Port, interfaces.NameOf(endpoint.InterfaceIndex), EndpointWords.NamesOf(endpoint.Flags)),
        MptcpJson.Lines.EndpointLine));

    private static void Say(CommandHost host, ParseResult line, string text)
    {
        if (!line.GetValue(CommonOptions.Quiet) && !line.GetValue(CommonOptions.Json)) host.Error.WriteLine(text);
    }

    private static Argument<string[]> Words(string description) => new("endpoint") { Description = description, HelpName = "WORDS", Arity = ArgumentArity.OneOrMore };
}
