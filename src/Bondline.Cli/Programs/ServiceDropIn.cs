using System.Globalization;
using System.Text;

namespace Bondline.Cli;

/// <summary>The drop-in that has systemd start a service under <c>bondline run</c>.</summary>
/// <param name="Text">The whole file.</param>
/// <param name="Notes">What whoever runs the service should know, a sentence each.</param>
internal sealed record ServiceDropIn(string Text, IReadOnlyList<string> Notes)
{
    /// <summary>Its name sorts behind those of other drop-ins, whose commands it starts from.</summary>
    public const string FileName = "zz-bondline-mptcp.conf";

    /// <summary>How files of ours begin, and no others.</summary>
    public const string Mark = "# Written by bondline run --unit";

    private const string Prefixes = "@-:+!"; // systemd.service(5), "Special executable prefixes"

    private const string AllowSeccomp = "SystemCallFilter=seccomp\n", JournalName = "SyslogIdentifier";

    /// <param name="unit">The service's name.</param>
    /// <param name="files">The text of the service's file and of its drop-ins, without ours, in the order systemd reads them.</param>
    /// <param name="properties">What <c>systemctl show</c> says of the service.</param>
    /// <param name="program">The path of bondline.</param>
    /// <param name="present">What our own drop-in says now, which is in <paramref name="properties"/>; null: there is none.</param>
    /// <exception cref="CommandException">The service cannot be started so.</exception>
    public static ServiceDropIn Create(string unit, IEnumerable<string> files, IReadOnlyDictionary<string, string> properties, string program, string? present = null)
    {
        foreach (var property in (ReadOnlySpan<string>)["RootDirectory", "RootImage"])
            if (Property(properties, property) is { Length: > 0 } root)
                throw Unusable($"{unit} runs inside {root} ({property}=), where bondline is not", "Put bondline into it and start it in ExecStart= yourself");
        if (Property(properties, "ProtectHome") is "yes" or "tmpfs" && IsBelow(program, "/home", "/root", "/run/user"))
            throw Unusable($"{unit} does not see {program} (ProtectHome=)", "Put bondline into /usr/local/bin and run that one");
        if (Property(properties, "PrivateTmp") is "yes" or "disconnected" && IsBelow(program, "/tmp", "/var/tmp"))
            throw Unusable($"{unit} does not see {program} (PrivateTmp=)", "Put bondline into /usr/local/bin and run that one");

        string[] texts = [.. files];
        List<IReadOnlyList<string>> commands = [];
        foreach (var value in texts.SelectMany(file => UnitFile.Values(file, "Service", "ExecStart")))
        {
            if (value.Length == 0) commands.Clear(); // takes back what came before
            else commands.AddRange(UnitFile.Commands(value));
        }
        if (commands.Count == 0) throw Unusable($"{unit} starts no program (ExecStart=)");

        var keepsBrokenPipe = Property(properties, "IgnoreSIGPIPE") == "no";
        var text = new StringBuilder($"{Mark} {unit}; bondline run --unit {unit} --undo removes it.\n[Service]\n");
        if (LacksSeccomp(Property(properties, "SystemCallFilter")) || present?.Contains(AllowSeccomp, StringComparison.Ordinal) == true) text.Append(AllowSeccomp);
        var notes = NotesOn(properties).ToList();
        // systemd takes the name of the file that it starts, which is bondline's now.
        if (texts.SelectMany(file => UnitFile.Values(file, "Service", JournalName)).LastOrDefault() is null or "")
        {
            if (FindName(commands) is { } name) text.Append(CultureInfo.InvariantCulture, $"{JournalName}={name}\n");
            else notes.Add($"Its lines in the journal are bondline's now, by name: {JournalName}= gives them another one.");
        }

        text.Append("ExecStart=\n");
        foreach (var command in commands) text.Append("ExecStart=").Append(Behind(unit, command, program, keepsBrokenPipe)).Append('\n');
        return new(text.ToString(), notes);
    }

    // The name that all of its commands have in the journal, if systemd reads it as it is written.
    private static string? FindName(IEnumerable<IReadOnlyList<string>> commands) =>
        commands.Select(command => Split(command[0]).File.Trim('"', '\'')).Select(file => file[(file.LastIndexOf('/') + 1)..]).Distinct().ToList() is [{ Length: > 0 } name]
        && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-' or '+' or '@' or '%')
            ? name
            : null;

    // Prefixes stand within the quotes; the quotes' end stays with the file.
    private static (string Quote, string Prefix, string File) Split(string word)
    {
        var quote = word.StartsWith('"') || word.StartsWith('\'') ? word[..1] : "";
        var prefix = new string([.. word[quote.Length..].TakeWhile(Prefixes.Contains)]);
        return (quote, prefix, word[(quote.Length + prefix.Length)..]);
    }

    /// <summary>One command behind <c>bondline run</c>, in whose place it runs: with its prefixes, its process id and its name.</summary>
    private static string Behind(string unit, IReadOnlyList<string> command, string program, bool keepsBrokenPipe)
    {
        var (quote, prefix, rest) = Split(command[0]);
        if (rest is "" or ";" || rest[0] == '|') throw Unusable($"a command of {unit} cannot be put behind another one: ExecStart={string.Join(' ', command)}");
        var hasName = prefix.Contains('@', StringComparison.Ordinal); // the word behind the file is what the program finds as its own name
        if (hasName && command.Count < 2) throw Unusable($"a command of {unit} has no name behind its file: ExecStart={string.Join(' ', command)}");
        string[] words =
        [
            UnitFile.Quote(program), "run", "--quiet", .. keepsBrokenPipe ? ["--sigpipe", "default"] : Array.Empty<string>(),
            .. hasName ? [UnitFile.Prefix("--argv0=", command[1])] : Array.Empty<string>(), "--", quote + rest, .. command.Skip(hasName ? 2 : 1),
        ];
        return prefix.Replace("@", "", StringComparison.Ordinal) + string.Join(' ', words);
    }

    private static IEnumerable<string> NotesOn(IReadOnlyDictionary<string, string> properties)
    {
        if (Property(properties, "User") is not ("" or "root" or "0") || Property(properties, "DynamicUser") == "yes")
        {
            if (Property(properties, "NoNewPrivileges") != "yes")
                yield return "As it does not run as root, programs it starts get no rights from their files any more (sudo and the like): as with NoNewPrivileges=yes.";
        }
        if (Property(properties, "RestrictAddressFamilies") is { Length: > 0 } families && !families.StartsWith('~') && !families.Contains("AF_INET", StringComparison.Ordinal))
            yield return $"It may not open TCP sockets at all (RestrictAddressFamilies={families}), so nothing changes for it.";
        if (Property(properties, "Type") == "forking" && Property(properties, "PIDFile").Length == 0)
            yield return "systemd guesses the main process of a Type=forking service, and will find one more process there: a PIDFile= tells it.";
        if (Property(properties, "MemoryDenyWriteExecute") == "yes" && System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported)
            yield return "This bondline is compiled at run time, which MemoryDenyWriteExecute=yes forbids: build it with clang or gcc installed.";
        if (File.Exists("/sys/fs/selinux/enforce"))
            yield return "Under SELinux its domain may be another one when bondline starts it; SELinuxContext= sets it.";
    }

    /// <param name="filter">Calls that are allowed, or forbidden if it begins with a tilde; empty without a filter.</param>
    private static bool LacksSeccomp(string filter)
    {
        if (filter.Length == 0) return false;
        var isForbidding = filter[0] == '~';
        var isNamed = filter.TrimStart('~').Split(' ', StringSplitOptions.RemoveEmptyEntries).Any(call => call.Split(':')[0] == "seccomp");
        return isNamed == isForbidding;
    }

    private static bool IsBelow(string path, params ReadOnlySpan<string> folders)
    {
        foreach (var folder in folders)
            if (path.StartsWith(folder + '/', StringComparison.Ordinal)) return true;
        return false;
    }

    private static string Property(IReadOnlyDictionary<string, string> properties, string name) => properties.GetValueOrDefault(name, "");

    private static CommandException Unusable(string message, string? next = null) => new("unit-unusable", message, next);
}
