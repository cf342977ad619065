using System.Globalization;

namespace Bondline.Linux;

/// <summary>What a network device is made of.</summary>
public enum NetworkDeviceKind
{
    Other,
    Ethernet,
    WiFi,

    /// <summary>A phone over USB or Bluetooth.</summary>
    Phone,

    /// <summary>A modem for mobile networks.</summary>
    Mobile,
}

/// <summary>What sysfs says of network devices.</summary>
/// <param name="folder">Where it lists them.</param>
public sealed class NetworkDevices(string folder = "/sys/class/net")
{
    private const string EthernetType = "1"; // ARPHRD_ETHER

    /// <param name="name">The device's name.</param>
    /// <param name="index">Its number: sysfs may show another network namespace, whose devices are not ours.</param>
    public NetworkDeviceKind KindOf(string name, int index)
    {
        var device = Path.Combine(folder, name);
        if (Read(device, "ifindex") != index.ToString(CultureInfo.InvariantCulture)) return NetworkDeviceKind.Other;
        switch (DeviceType(device))
        {
            case "wlan": return NetworkDeviceKind.WiFi;
            case "wwan": return NetworkDeviceKind.Mobile;
            case "bluetooth": return NetworkDeviceKind.Phone;
        }
        if (Directory.Exists(Path.Combine(device, "wireless"))) return NetworkDeviceKind.WiFi;
        return Driver(device) switch
        {
            "rndis_host" or "ipheth" or "cdc_ether" or "cdc_ncm" or "cdc_eem" or "cdc_subset" => NetworkDeviceKind.Phone,
            null => NetworkDeviceKind.Other,
            _ => Read(device, "type") == EthernetType ? NetworkDeviceKind.Ethernet : NetworkDeviceKind.Other,
        };
    }

    private static string? DeviceType(string device) =>
        Read(device, "uevent")?.Split('\n').FirstOrDefault(line => line.StartsWith("DEVTYPE=", StringComparison.Ordinal))?["DEVTYPE=".Length..];

    private static string? Driver(string device)
    {
        try
        {
            return Path.GetFileName(Directory.ResolveLinkTarget(Path.Combine(device, "device", "driver"), returnFinalTarget: false)?.FullName);
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return null; // no hardware of its own
        }
    }

    private static string? Read(string device, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(device, file)).Trim();
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
