namespace Bondline.Cli.Multipath;

/// <summary>Says at once what stands in the way, instead of failing half way.</summary>
internal static class MultipathRequirements
{
    /// <param name="facts">The machine.</param>
    /// <param name="names">The interfaces the user named.</param>
    /// <exception cref="CommandException">Something does; nothing was changed.</exception>
    public static void Check(MultipathFacts facts, IReadOnlyList<string> names)
    {
        if (!facts.IsSupported) throw new CommandException("mptcp-missing", "this kernel has no MPTCP, or hides it from this program", "Use a kernel with MPTCP: Linux 5.7 or later, built with CONFIG_MPTCP");
        if (facts.Managers.IsMptcpdRunning)
            throw new CommandException("mptcp-managed", "mptcpd runs here and keeps the kernel's endpoints itself; two that do it undo each other's work", "Leave it to mptcpd, or stop it: systemctl disable --now mptcp");
        foreach (var name in names)
            if (!facts.Interfaces.Any(each => each.Name == name))
                throw new CommandException("usage", $"there is no interface \"{name}\"", $"Name those that \"ip link\" shows: {string.Join(", ", facts.Interfaces.Where(each => !each.State.Link.IsLoopback).Select(each => each.Name))}");
    }

    /// <exception cref="CommandException">The right to change anything is missing.</exception>
    public static void CheckRight(IMultipathSystem system, string what)
    {
        if (!system.MayChange) throw new CommandException("right-missing", $"cannot {what}: it needs the right CAP_NET_ADMIN", "Run it with sudo");
    }
}
