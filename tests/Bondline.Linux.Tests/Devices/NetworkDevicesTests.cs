using Xunit;

namespace Bondline.Linux.Tests;

/// <summary>Kinds of devices as sysfs describes them; a folder stands for it.</summary>
public sealed class NetworkDevicesTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-sysfs-");

    [Theory]
    [InlineData("e1000e", "", NetworkDeviceKind.Ethernet)]
    [InlineData("r8152", "", NetworkDeviceKind.Ethernet)]
    [InlineData("iwlwifi", "DEVTYPE=wlan\nINTERFACE=x0\n", NetworkDeviceKind.WiFi)]
    [InlineData("rndis_host", "", NetworkDeviceKind.Phone)]
    [InlineData("ipheth", "", NetworkDeviceKind.Phone)]
    [InlineData("cdc_mbim", "DEVTYPE=wwan\n", NetworkDeviceKind.Mobile)]
    [InlineData(null, "DEVTYPE=bond\n", NetworkDeviceKind.Other)]
    public void A_device_is_known_by_its_type_and_driver(string? driver, string uevent, NetworkDeviceKind kind)
    {
        var device = _folder.CreateSubdirectory("x0");
        Write("ifindex", "7\n");
        Write("type", "1\n");
        Write("uevent", uevent);
        if (driver is not null) File.CreateSymbolicLink(Path.Combine(device.CreateSubdirectory("device").FullName, "driver"), $"../../../bus/usb/drivers/{driver}");
        var devices = new NetworkDevices(_folder.FullName);
        Assert.Equal(kind, devices.KindOf("x0", 7));
        Assert.Equal(NetworkDeviceKind.Other, devices.KindOf("x0", 8)); // of another namespace
        Assert.Equal(NetworkDeviceKind.Other, devices.KindOf("y0", 7));

        void Write(string file, string text) => File.WriteAllText(Path.Combine(device.FullName, file), text);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
