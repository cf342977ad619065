namespace Bondline.Cli.Multipath;

/// <summary>The drop-in that sets sysctls again when the machine starts.</summary>
/// <param name="Text">All of it.</param>
/// <param name="Settings">What it sets, and what was before the first of it: after a restart of the machine nobody else remembers.</param>
internal sealed record SettingsChange(string Text, IReadOnlyList<SysctlChange> Settings) : MultipathChange
{
    public bool Equals(SettingsChange? other) => other is not null && Text == other.Text && Settings.SequenceEqual(other.Settings);

    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    public override string? Make(IMultipathSystem system)
    {
        system.WriteFile(MultipathFiles.Settings, Text);
        return null;
    }

    public override UndoResult Undo(IMultipathSystem system)
    {
        var result = DeleteFile(system);
        foreach (var setting in Settings.Reverse()) setting.Undo(system);
        return result;
    }

    /// <summary>The settings may have been made by an earlier command, whose work stays.</summary>
    public override void TakeBack(IMultipathSystem system) => DeleteFile(system);

    private UndoResult DeleteFile(IMultipathSystem system)
    {
        if (system.ReadFile(MultipathFiles.Settings) is not { } now) return new(UndoOutcome.Gone);
        if (now != Text) return new(UndoOutcome.Left, "somebody changed it meanwhile");
        system.DeleteFile(MultipathFiles.Settings);
        return new(UndoOutcome.Undone);
    }

    protected override ChangeWords Describe() => new(
        "settings",
        $"keep the settings over a restart of the machine: {MultipathFiles.Settings}",
        $"printf '{Text.Replace("\n", "\\n", StringComparison.Ordinal)}' >{MultipathFiles.Settings}",
        $"rm {MultipathFiles.Settings}");
}
