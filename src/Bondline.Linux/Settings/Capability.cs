using System.Globalization;

namespace Bondline.Linux;

/// <summary>Rights of this process beyond those of an ordinary user (capabilities(7)).</summary>
public static class Capability
{
    private const int NetworkAdministration = 12; // CAP_NET_ADMIN

    /// <summary>CAP_NET_ADMIN is in effect. In a user namespace it holds for the network namespaces made there, and the kernel may still refuse.</summary>
    public static bool HasNetworkAdministration
    {
        get
        {
            try
            {
                return HasEffective(File.ReadAllText("/proc/thread-self/status"), NetworkAdministration);
            }
            catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
            {
                return true; // no /proc: let the kernel decide
            }
        }
    }

    /// <summary>Reads the text of /proc/PID/status.</summary>
    //  CapEff:	000001ffffffffff
    public static bool HasEffective(string status, int capability)
    {
        ArgumentNullException.ThrowIfNull(status);
        var line = status.Split('\n').FirstOrDefault(line => line.StartsWith("CapEff:", StringComparison.Ordinal));
        return line is not null && ulong.TryParse(line["CapEff:".Length..].Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var bits) && (bits >> capability & 1) != 0;
    }
}
