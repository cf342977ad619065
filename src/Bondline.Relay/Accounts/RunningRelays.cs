using System.Globalization;
using System.Text;

namespace Bondline.Relay;

/// <summary>Relays that run on this machine, whoever started them, as far as the system tells.</summary>
internal static class RunningRelays
{
    /// <summary>The number of a process that runs <c>bondline relay</c>; null if none is seen. What a process list hides, or another system keeps elsewhere, is not found.</summary>
    public static int? Find()
    {
        if (!Directory.Exists("/proc")) return null;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && IsRelay(CommandLineOf(folder)))
                return id;
        return null;
    }

    internal static bool IsRelay(string[] arguments)
    {
        var rest = arguments switch
        {
            [var program, ..] when Path.GetFileName(program) == "bondline" => arguments.AsSpan(1),
            [var host, var program, ..] when Path.GetFileName(host) == "dotnet" && Path.GetFileName(program) == "bondline.dll" => arguments.AsSpan(2),
            _ => [],
        };
        foreach (var argument in rest)
            if (!argument.StartsWith('-')) return argument == "relay" && !rest.Contains("token") && !rest.Contains("ca");
        return false;
    }

    private static string[] CommandLineOf(string folder)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(folder, "cmdline"))).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return []; // it has ended, or is not ours to see
        }
    }
}
