using System.Globalization;
using System.Text;

namespace Bondline.Cli.Multipath;

/// <summary>What NetworkManager manages, as nmcli tells it.</summary>
/// <param name="Version">Null if it does not run.</param>
/// <param name="Connections">The UUID of the connection that is active on each interface, by the interface's name.</param>
internal sealed record NetworkManagerState(string? Version, IReadOnlyDictionary<string, string> Connections)
{
    /// <summary>It adds endpoints by itself since 1.40.</summary>
    public static bool KnowsMultipath(string version) =>
        version.Split('.') is [var major, var minor, ..]
        && int.TryParse(major, NumberStyles.None, CultureInfo.InvariantCulture, out var first) && int.TryParse(minor, NumberStyles.None, CultureInfo.InvariantCulture, out var second)
        && (first, second).CompareTo((1, 40)) >= 0;

    public static NetworkManagerState Read(ToolRunner tools)
    {
        var general = tools.Run("nmcli", "-t", "-f", "RUNNING,VERSION", "general", "status");
        if (general.ExitCode != 0 || Split(general.Output.Trim()) is not ["running", var version]) return new(null, new Dictionary<string, string>());
        return new(version, ReadConnections(tools.Run("nmcli", "-t", "-f", "UUID,DEVICE", "connection", "show", "--active").Output));
    }

    /// <summary>Reads lines of <c>UUID:DEVICE</c>.</summary>
    public static IReadOnlyDictionary<string, string> ReadConnections(string output)
    {
        var connections = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            if (Split(line) is [var connection, { Length: > 0 } device] && Guid.TryParseExact(connection, "D", out _))
                connections[device] = connection;
        return connections;
    }

    // Terse output: fields between colons; a colon or backslash in one is behind a backslash.
    private static List<string> Split(string line)
    {
        var fields = new List<string>();
        var field = new StringBuilder();
        for (var i = 0; i < line.Length; i++)
        {
            if (line[i] == ':')
            {
                fields.Add(field.ToString());
                field.Clear();
                continue;
            }

            if (line[i] == '\\' && i + 1 < line.Length) i++;
            field.Append(line[i]);
        }

        fields.Add(field.ToString());
        return fields;
    }
}
