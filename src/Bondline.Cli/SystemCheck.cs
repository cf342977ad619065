using Bondline.Transport;

namespace Bondline.Cli;

/// <summary>Says at once what this system cannot do, instead of failing at it later.</summary>
internal static class SystemCheck
{
    /// <exception cref="CommandException">It cannot.</exception>
    public static void Require(HostSystem system, bool isRelay)
    {
        if (NetworkPlatform.Refusal(system, isRelay) is not { } reason) return;
        throw new CommandException("not-available", reason, system == HostSystem.MacOS ? "Run \"bondline relay\" on a Linux server and \"bondline login JOIN-URL\" here" : "Use Linux, macOS or Windows");
    }
}
