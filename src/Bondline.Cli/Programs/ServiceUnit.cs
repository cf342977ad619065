using System.Runtime.Versioning;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bondline.Cli.Multipath;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary><c>bondline run --unit</c>: has systemd start a service under <c>bondline run</c>, or as before. It never starts or stops one itself.</summary>
[SupportedOSPlatform("linux")]
internal sealed class ServiceUnit(CommandHost host, string folder, bool isJson, bool isQuiet)
{
    /// <summary>Where the administrator's own units are; whoever names another folder tries something out.</summary>
    public const string SystemFolder = "/etc/systemd/system";

    private static readonly string[] Properties =
    [
        "LoadState", "FragmentPath", "DropInPaths", "Type", "PIDFile", "User", "DynamicUser", "NoNewPrivileges", "IgnoreSIGPIPE", "SystemCallFilter", "RestrictAddressFamilies",
        "RootDirectory", "RootImage", "ProtectHome", "PrivateTmp", "MemoryDenyWriteExecute",
    ];

    private readonly ToolRunner _tools = new(host.Environment("PATH"));
    private readonly ProtectedFiles _files = new("");

    /// <summary>Writes the drop-in for a service, named with or without its suffix; in a dry run only says what would be written.</summary>
    public void Enable(string name, bool isDryRun)
    {
        var unit = FullName(name);
        var file = PathOf(unit);
        var properties = Read(Systemctl("show", $"--property={string.Join(',', Properties)}", "--", unit));
        if (properties.GetValueOrDefault("LoadState") is not "loaded" and var state)
            throw Unusable($"systemd has no usable {unit}: it is {state ?? "unknown"}", "\"systemctl list-unit-files --type=service\" lists what there is");
        string[] sources = [properties.GetValueOrDefault("FragmentPath", ""), .. properties.GetValueOrDefault("DropInPaths", "").Split(' ')];
        var present = _files.Read(file);
        if (present is not null) RequireOurs(file, present);
        string[] texts = [.. sources.Where(source => source.Length > 0 && Path.GetFileName(source) != ServiceDropIn.FileName).Select(source => _files.Read(source) ?? throw Unusable($"{unit} cannot be read: there is no {source}"))];
        var dropIn = ServiceDropIn.Create(unit, texts, properties, FindProgram(), present);
        if (isDryRun)
        {
            Say(new("unit", unit, file, "would-write", dropIn.Text, null), $"Would write {file}:\n{dropIn.Text}");
            return;
        }
        _files.Write(file, dropIn.Text);
        Reload($"{file} is written");
        Say(new("unit", unit, file, "written", dropIn.Text, [.. dropIn.Notes, Restart(unit)]), $"Wrote {file}:\n{dropIn.Text}");
    }

    /// <summary>Removes exactly what <see cref="Enable"/> wrote.</summary>
    public void Undo(string name, bool isDryRun)
    {
        var unit = FullName(name);
        var file = PathOf(unit);
        if (_files.Read(file) is not { } present)
        {
            Say(new("unit", unit, file, "absent", null, null), $"There is nothing to undo: no {file}.");
            return;
        }
        RequireOurs(file, present);
        if (isDryRun)
        {
            Say(new("unit", unit, file, "would-remove", null, null), $"Would remove {file}.");
            return;
        }
        _files.Delete(file);
        if (Path.GetDirectoryName(file) is { } parent && !Directory.EnumerateFileSystemEntries(parent).Any()) Directory.Delete(parent);
        Reload($"{file} is removed");
        Say(new("unit", unit, file, "removed", null, [Restart(unit)]), $"Removed {file}.");
    }

    private static string Restart(string unit) => $"It counts from the service's next start: sudo systemctl restart {unit}";

    private static string FullName(string name)
    {
        if (name.Length == 0 || name.Contains('/', StringComparison.Ordinal)) throw new CommandException("usage", $"\"{name}\" is no name of a service");
        if (name.EndsWith(".service", StringComparison.Ordinal)) return name;
        return Path.GetExtension(name) is ".socket" or ".timer" or ".target" or ".mount" or ".path" or ".slice" or ".scope"
            ? throw Unusable($"{name} runs no program", "Name the service it starts")
            : $"{name}.service";
    }

    private string FindProgram()
    {
        const string Install = "Install it as root, \"sudo install -D PROGRAM /usr/local/bin/bondline\", and run that one";
        var own = Environment.ProcessPath ?? "";
        if (Path.GetFileName(own) != "bondline") throw new CommandException("service-refused", $"{own} cannot start a service: it runs inside another program", Install);
        if (folder == SystemFolder && FileOwner.FindPartNotOfRoot(own) is { } part)
            throw new CommandException("service-refused", $"{own} cannot start a service: others than root may change {part}, and so what the service would do", Install.Replace("PROGRAM", own, StringComparison.Ordinal));
        return own;
    }

    private string PathOf(string unit) => Path.Combine(Path.GetFullPath(folder), $"{unit}.d", ServiceDropIn.FileName);

    private static void RequireOurs(string file, string text)
    {
        if (!text.StartsWith(ServiceDropIn.Mark, StringComparison.Ordinal)) throw Unusable($"{file} is not bondline's", "Move it away");
    }

    private void Say(UnitLine line, string sentence)
    {
        if (isJson)
        {
            host.Output.WriteLine(JsonSerializer.Serialize(line, UnitJson.Lines.UnitLine));
            return;
        }
        host.Output.WriteLine(sentence.TrimEnd('\n'));
        if (isQuiet) return;
        foreach (var note in line.Notes ?? []) host.Error.WriteLine(note);
    }

    /// <summary>Reads lines of <c>NAME=VALUE</c>.</summary>
    private static Dictionary<string, string> Read(string shown) =>
        shown.Split('\n').Select(line => line.Split('=', 2)).Where(parts => parts.Length == 2).GroupBy(parts => parts[0]).ToDictionary(same => same.Key, same => same.Last()[1]);

    private void Reload(string done)
    {
        try
        {
            Systemctl("daemon-reload");
        }
        catch (CommandException error)
        {
            throw new CommandException(error.Code, $"{done}, and systemd does not know it yet: {error.Message}", "Run \"sudo systemctl daemon-reload\"");
        }
    }

    private string Systemctl(params string[] arguments)
    {
        var result = _tools.Run("systemctl", arguments);
        return result.ExitCode == 0
            ? result.Output
            : throw Unusable($"\"systemctl {arguments[0]}\" failed: {result.Reason}", "Where systemd does not run the service, put \"bondline run --quiet --\" before its program in whatever starts it");
    }

    private static CommandException Unusable(string message, string? next = null) => new("unit-unusable", message, next);
}

/// <summary>The object of <c>bondline run --unit --json</c>.</summary>
/// <param name="Event">Always <c>unit</c>.</param>
/// <param name="Unit">The service.</param>
/// <param name="File">The drop-in.</param>
/// <param name="Action"><c>written</c>, <c>removed</c>, <c>absent</c>, <c>would-write</c> or <c>would-remove</c>.</param>
/// <param name="Text">What is, or would be, in it.</param>
/// <param name="Notes">What to know and to do, for people.</param>
internal sealed record UnitLine(string Event, string Unit, string File, string Action, string? Text, IReadOnlyList<string>? Notes);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(UnitLine))]
internal sealed partial class UnitJson : JsonSerializerContext
{
    // As in EventJson: for a terminal or a parser, never a page.
    public static UnitJson Lines => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
