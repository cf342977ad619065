namespace Bondline.Cli.Multipath;

/// <summary>One of the kernel's settings.</summary>
/// <param name="Name">As sysctl(8) takes it.</param>
/// <param name="Value">The new one.</param>
/// <param name="Was">The one before.</param>
internal sealed record SysctlChange(string Name, string Value, string Was) : MultipathChange
{
    public const string Enabled = "net.mptcp.enabled", PathManager = "net.mptcp.path_manager", PathManagerType = "net.mptcp.pm_type";

    public override string? Make(IMultipathSystem system)
    {
        system.WriteSysctl(Name, Value);
        return null;
    }

    public override UndoResult Undo(IMultipathSystem system)
    {
        var now = system.ReadSysctl(Name);
        if (now is null) return new(UndoOutcome.Gone, "the interface is gone");
        if (now == Was) return new(UndoOutcome.Gone, "it is as it was");
        if (now != Value) return new(UndoOutcome.Left, $"somebody set it to {now} meanwhile");
        system.WriteSysctl(Name, Was);
        return new(UndoOutcome.Undone);
    }

    protected override ChangeWords Describe() => new(
        "sysctl",
        Purpose,
        $"sysctl -w {Name}={Value}",
        $"sysctl -w {Name}={Was}");

    private string Purpose => Name switch
    {
        Enabled => "let programs make MPTCP sockets",
        PathManager or PathManagerType => "let the kernel open further subflows, from the endpoints",
        _ when Name.EndsWith(".rp_filter", StringComparison.Ordinal) => $"take in what arrives on {Interface}, although the system's own way back may be another interface",
        _ => $"set {Name}",
    };

    private string Interface => Name.Split('.') is [.., var name, _] ? name.Replace('/', '.') : Name;
}
