using System.Net;
using System.Net.Sockets;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>What was changed and not undone yet, in a file: each change is in it before it is made, and until it is undone.</summary>
/// <remarks>Of root's; it says what root will undo, so it may name only what this program itself would change.</remarks>
internal sealed class MultipathJournal
{
    private readonly IMultipathSystem _system;
    private readonly string _path;
    private readonly List<MultipathChange> _changes = [];

    private MultipathJournal(IMultipathSystem system, string path)
    {
        _system = system;
        _path = path;
        Read();
    }

    /// <summary>Of this network namespace, until the machine starts again, when the kernel forgets it all and /run is empty.</summary>
    public static MultipathJournal OfNamespace(IMultipathSystem system) => new(system, MultipathFiles.JournalOf(system.NamespaceName));

    /// <summary>Of the machine: what outlives its restart.</summary>
    public static MultipathJournal Persistent(IMultipathSystem system) => new(system, MultipathFiles.PersistentJournal);

    /// <summary>In the order they were made.</summary>
    public IReadOnlyList<MultipathChange> Changes => _changes;

    /// <summary>There is a file: something was enabled here and not disabled.</summary>
    public bool Exists { get; private set; }

    /// <summary>The interfaces that whoever enabled it named; none: choose.</summary>
    public IReadOnlyList<string> Names { get; private set; } = [];

    /// <summary>The agents it is there for, by process id, and that undo it when none is left; null: a user enabled it.</summary>
    public IReadOnlyList<int>? Agents { get; private set; }

    /// <summary>Reads it again, after others may have written to it.</summary>
    /// <exception cref="CommandException">It is no journal.</exception>
    public void Read()
    {
        var read = _system.ReadFile(_path) is { } text ? Parse(text, _path) : null;
        _changes.Clear();
        _changes.AddRange(read?.Changes ?? []);
        (Names, Agents) = (read?.Names ?? [], read?.Agents);
        Exists = read is not null;
    }

    /// <summary>Writes a change down, if it is not already.</summary>
    public void Add(MultipathChange change)
    {
        if (_changes.Contains(change)) return;
        _changes.Add(change);
        try
        {
            Write();
        }
        catch (CommandException)
        {
            _changes.Remove(change);
            throw;
        }
    }

    /// <summary>Takes a change off the list. The file stays, even without any: something is enabled here.</summary>
    public void Remove(MultipathChange change)
    {
        if (_changes.Remove(change)) Write();
    }

    /// <summary>Puts a change in the place of another one.</summary>
    public void Replace(MultipathChange old, MultipathChange change)
    {
        _changes[_changes.IndexOf(old)] = change;
        Write();
    }

    /// <summary>Says that a user has enabled it, though nothing may have to be changed for it.</summary>
    /// <returns>What makes it say again what it said before; null if it says the same, or was not there.</returns>
    public Action? Begin(IReadOnlyList<string> names)
    {
        if (Exists && Agents is null && Names.SequenceEqual(names)) return null;
        var (existed, before) = (Exists, (Names, Agents));
        (Names, Agents) = (names, null);
        Write();
        return existed ? GiveBack : null;

        void GiveBack()
        {
            (Names, Agents) = before;
            Write();
        }
    }

    /// <summary>Says that an agent needs it. What a user enabled stays the user's.</summary>
    public void Join(int agent)
    {
        if (Exists && (Agents is null || Agents.Contains(agent))) return;
        Agents = [.. (Agents ?? []).Where(_system.IsRunning), agent];
        Write();
    }

    /// <summary>An agent needs it no more.</summary>
    /// <returns>True if nobody else does: it is to be undone.</returns>
    public bool Leave(int agent)
    {
        if (!Exists || Agents is null) return false;
        Agents = [.. Agents.Where(other => other != agent && _system.IsRunning(other))];
        if (Agents.Count == 0) return true;
        Write();
        return false;
    }

    public void Delete()
    {
        _changes.Clear();
        if (Exists) _system.DeleteFile(_path);
        Exists = false;
    }

    /// <exception cref="CommandException">It is no journal.</exception>
    public static JournalText Parse(string text, string path)
    {
        try
        {
            if (JsonSerializer.Deserialize(text, JournalJson.Lines.JournalText) is { Version: JournalText.CurrentVersion, Changes: not null } read && read.Changes.All(IsOurs) && read.Names?.All(IsInterface) != false) return read;
        }
        catch (Exception unreadable) when (unreadable is JsonException or NotSupportedException)
        {
            // Said below. The second is .NET's word for a change that does not say of which kind it is.
        }

        throw new CommandException("data-unusable", $"{path} does not say what was changed: it is damaged, or of another version of this program", $"Undo by hand what \"bondline mptcp status\" shows, then delete {path}");
    }

    public static string Format(JournalText journal) => JsonSerializer.Serialize(journal, JournalJson.Lines.JournalText) + "\n";

    private void Write()
    {
        _system.WriteFile(_path, Format(new(JournalText.CurrentVersion, _changes, Names.Count > 0 ? Names : null, Agents)));
        Exists = true;
    }

    private static bool IsOurs(MultipathChange? change) => change switch
    {
        SysctlChange sysctl => IsWord(sysctl.Value) && IsWord(sysctl.Was)
            && (sysctl.Name is SysctlChange.Enabled or SysctlChange.PathManager or SysctlChange.PathManagerType or SysctlChange.MaxUnsentBytes && sysctl.InterfaceIndex is null
                || sysctl.Name is ['n', 'e', 't', '.', 'i', 'p', 'v', '4', '.', 'c', 'o', 'n', 'f', '.', .. var rest] && rest.Split('.') is [var name, "rp_filter"] && IsInterface(name.Replace('/', '.'))),
        RouteChange route => IsInterface(route.Interface) && route.Network is not null && (route.Network.Equals(IPAddress.Any) || route.Network.Equals(IPAddress.IPv6Any))
            && (route.Gateway is null || route.Gateway.AddressFamily == route.Network.AddressFamily),
        LimitsChange limits => limits is { Subflows: >= 0 and <= MultipathLimits.Max, WasSubflows: >= 0 and <= MultipathLimits.Max },
        EndpointChange endpoint => IsInterface(endpoint.Interface) && endpoint.Address is not null,
        SettingsChange settings => settings is { Text: not null, Settings: not null } && settings.Settings.All(IsOurs),
        ServiceChange service => service.Text is not null,
        ConnectionChange connection => Guid.TryParse(connection.Connection, out _) && IsInterface(connection.Interface) && IsWord(connection.Flags) && IsWord(connection.Was),
        _ => false,
    };

    private static bool IsWord(string? text) => text is { Length: > 0 and < 100 } && text[0] != '-' && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-' or ',');

    // As the kernel allows them (dev_valid_name), and no option of a program.
    private static bool IsInterface(string? name) => name is { Length: > 0 and < 16 } && name is not ("." or "..") && name[0] != '-' && !name.Any(letter => letter is '/' or ':' || char.IsWhiteSpace(letter) || char.IsControl(letter));
}

/// <summary>What stands in a journal's file.</summary>
/// <param name="Version">Of the format.</param>
/// <param name="Changes">In the order they were made.</param>
/// <param name="Names">As <see cref="MultipathJournal.Names"/>; null: none.</param>
/// <param name="Agents">As <see cref="MultipathJournal.Agents"/>.</param>
internal sealed record JournalText(int Version, IReadOnlyList<MultipathChange> Changes, IReadOnlyList<string>? Names = null, IReadOnlyList<int>? Agents = null)
{
    public const int CurrentVersion = 1;
}

/// <summary>An address as text.</summary>
internal sealed class AddressConverter : JsonConverter<IPAddress>
{
    public override IPAddress Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && IPAddress.TryParse(reader.GetString(), out var address) && address.AddressFamily is AddressFamily.InterNetwork or AddressFamily.InterNetworkV6 && address is not { AddressFamily: AddressFamily.InterNetworkV6, ScopeId: not 0 }
            ? address
            : throw new JsonException("not an address");

    public override void Write(Utf8JsonWriter writer, IPAddress value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true,
    Converters = [typeof(AddressConverter)], WriteIndented = true)]
[JsonSerializable(typeof(JournalText))]
internal sealed partial class JournalJson : JsonSerializerContext
{
    public static JournalJson Lines => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
