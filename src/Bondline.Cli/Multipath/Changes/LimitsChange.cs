namespace Bondline.Cli.Multipath;

/// <summary>How many further subflows the kernel opens for a connection.</summary>
/// <param name="Subflows">The new limit.</param>
/// <param name="WasSubflows">The one before.</param>
internal sealed record LimitsChange(int Subflows, int WasSubflows) : MultipathChange
{
    public override string? Make(IMultipathSystem system)
    {
        system.SetLimits(system.Limits() with { Subflows = Subflows });
        return null;
    }

    public override UndoResult Undo(IMultipathSystem system)
    {
        var now = system.Limits();
        if (now.Subflows == WasSubflows) return new(UndoOutcome.Gone);
        if (now.Subflows != Subflows) return new(UndoOutcome.Left, $"somebody set it to {now.Subflows} meanwhile");
        system.SetLimits(now with { Subflows = WasSubflows });
        return new(UndoOutcome.Undone);
    }

    protected override ChangeWords Describe() => new(
        "limits",
        $"let a connection have {Subflows} subflow{(Subflows == 1 ? "" : "s")} beside its first one",
        $"ip mptcp limits set subflows {Subflows}",
        $"ip mptcp limits set subflows {WasSubflows}");
}
