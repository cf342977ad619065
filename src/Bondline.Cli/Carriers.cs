using Bondline.Linux;
using Bondline.Protocol;

namespace Bondline.Cli;

/// <summary>What carries a bond, as command lines and lines of output name it.</summary>
internal static class Carriers
{
    public static string Name(Carrier carrier) => carrier == Carrier.Multipath ? "mptcp" : "bond";

    /// <param name="text">The value of <c>--carrier</c>; null for the default.</param>
    /// <exception cref="CommandException">It is none.</exception>
    public static CarrierMode Parse(string? text) => text switch
    {
        null or "auto" => CarrierMode.Auto,
        "bond" => CarrierMode.Bond,
        "mptcp" => CarrierMode.Multipath,
        _ => throw new CommandException("usage", $"\"{text}\" is no carrier", "Use --carrier auto, bond or mptcp"),
    };

    /// <summary>The kernel can carry it.</summary>
    /// <exception cref="CommandException">It cannot, and why.</exception>
    public static void RequireKernel()
    {
        const string instead = "or use --carrier bond, which bonds the same networks in the program itself";
        if (!OperatingSystem.IsLinux()) throw new CommandException("not-available", "kernel MPTCP is Linux's, and this system has none for ordinary programs", "Use --carrier bond, which bonds the same networks in the program itself");
        var settings = new MultipathSettings();
        if (!settings.Exist) throw new CommandException("mptcp-missing", "this kernel has no MPTCP", $"Use a kernel with MPTCP (Linux 5.7 or later, built with CONFIG_MPTCP), {instead}");
        if (!settings.IsEnabled) throw new CommandException("mptcp-off", "MPTCP is switched off (net.mptcp.enabled is 0)", $"Run \"sudo bondline mptcp enable\", {instead}");
    }
}
