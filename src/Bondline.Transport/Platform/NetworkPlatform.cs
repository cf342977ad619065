namespace Bondline.Transport;

/// <summary>The systems we have something to say about.</summary>
public enum HostSystem
{
    Linux,
    MacOS,
    Windows,
    FreeBsd,
    Other,
}

/// <summary>What of Bondline runs on which system.</summary>
public static class NetworkPlatform
{
    /// <summary>The system this program runs on.</summary>
    public static HostSystem System { get; } =
        OperatingSystem.IsLinux() ? HostSystem.Linux
        : OperatingSystem.IsMacOS() ? HostSystem.MacOS
        : OperatingSystem.IsWindows() ? HostSystem.Windows
        : OperatingSystem.IsFreeBSD() ? HostSystem.FreeBsd
        : HostSystem.Other;

    /// <exception cref="PlatformNotSupportedException">This system is one of those <see cref="Refusal"/> refuses.</exception>
    public static INetworkPlatform Current =>
        OperatingSystem.IsLinux() ? LinuxNetworkPlatform.Instance
        : OperatingSystem.IsMacOS() ? MacNetworkPlatform.Instance
        : OperatingSystem.IsWindows() ? WindowsNetworkPlatform.Instance
        : throw new PlatformNotSupportedException(Refusal(System, isRelay: false));

    /// <summary>Why <paramref name="system"/> cannot be an agent or a relay, as a clause for people; null if it can.</summary>
    public static string? Refusal(HostSystem system, bool isRelay) => system switch
    {
        HostSystem.Linux or HostSystem.Windows => null,
        HostSystem.MacOS => isRelay ? "a relay does not run on macOS: .NET has no server side of TLS 1.3 there" : null,
        HostSystem.FreeBsd => "Bondline does not run on FreeBSD: an ordinary program cannot bind a connection to an interface there, so a bond would be one network",
        _ => "Bondline does not run on this system: it does not know how to bind a connection to an interface here",
    };
}
