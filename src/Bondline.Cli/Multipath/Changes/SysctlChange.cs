using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>One of the kernel's settings.</summary>
/// <param name="Name">As sysctl(8) takes it.</param>
/// <param name="Value">The new one.</param>
/// <param name="Was">The one before.</param>
/// <param name="InterfaceIndex">The number of the interface whose it is, by which it is found when it has another name; null: it is nobody's, or after a restart of the machine.</param>
internal sealed record SysctlChange(string Name, string Value, string Was, int? InterfaceIndex = null) : MultipathChange
{
    public const string Enabled = "net.mptcp.enabled", PathManager = "net.mptcp.path_manager", PathManagerType = "net.mptcp.pm_type", MaxUnsentBytes = "net.ipv4.tcp_notsent_lowat";

    public override string? Make(IMultipathSystem system)
    {
        system.WriteSysctl(Name, Value);
        return null;
    }

    public override UndoResult Undo(IMultipathSystem system)
    {
        if (FindName(system) is not { } name || system.ReadSysctl(name) is not { } now) return new(UndoOutcome.Gone, "the interface is gone");
        if (now == Was) return new(UndoOutcome.Gone, "it is as it was");
        if (now != Value) return new(UndoOutcome.Left, $"somebody set it to {now} meanwhile");
        system.WriteSysctl(name, Was);
        return new(UndoOutcome.Undone, name == Name ? null : $"it is {name} now");
    }

    public override bool IsMissing(MultipathFacts facts, IMultipathSystem system) => InterfaceIndex is { } index && system.FindInterfaceName(index) is null;

    protected override ChangeWords Describe() => new(
        "sysctl",
        Purpose,
        $"sysctl -w {Name}={Value}",
        $"sysctl -w {Name}={Was}");

    private string? FindName(IMultipathSystem system) =>
        InterfaceIndex is not { } index ? Name
        : system.FindInterfaceName(index) is { } interfaceName ? Sysctl.OfInterface(interfaceName, Name[(Name.LastIndexOf('.') + 1)..])
        : null;

    private string Purpose => Name switch
    {
        Enabled => "let programs make MPTCP sockets",
        PathManager or PathManagerType => "let the kernel open further subflows, from the endpoints",
        MaxUnsentBytes => "let a connection go on sooner when one of its networks is lost: less waits unsent on the others (it holds for all TCP connections)",
        _ when Name.EndsWith(".rp_filter", StringComparison.Ordinal) => $"take in what arrives on {Interface}, although the system's own way back may be another interface",
        _ => $"set {Name}",
    };

    private string Interface => Name.Split('.') is [.., var name, _] ? name.Replace('/', '.') : Name;
}
