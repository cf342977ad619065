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
        var result = new UndoResult(UndoOutcome.Gone);
        var now = system.ReadFile(MultipathFiles.Settings);
        if (now == Text)
        {
            system.DeleteFile(MultipathFiles.Settings);
            result = new(UndoOutcome.Undone);
        }
        else if (now is not null)
        {
            result = new(UndoOutcome.Left, "somebody changed it meanwhile");
        }

        foreach (var setting in Settings.Reverse()) setting.Undo(system);
        return result;
    }

    protected override ChangeWords Describe() => new(
        "settings",
        $"keep the settings over a restart of the machine: {MultipathFiles.Settings}",
        $"printf '{Text.Replace("\n", "\\n", StringComparison.Ordinal)}' >{MultipathFiles.Settings}",
        $"rm {MultipathFiles.Settings}");
}
