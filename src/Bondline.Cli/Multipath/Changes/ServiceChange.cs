namespace Bondline.Cli.Multipath;

/// <summary>A systemd service that runs <c>bondline mptcp watch</c> from now on, and after each start of the machine.</summary>
/// <param name="Text">All of its unit file.</param>
internal sealed record ServiceChange(string Text) : MultipathChange
{
    private const string Path = MultipathFiles.Unit, Name = "bondline-mptcp.service";

    public override string? Make(IMultipathSystem system)
    {
        system.WriteFile(Path, Text);
        Run(system, "daemon-reload");
        Run(system, "enable", "--now", Name);
        return null;
    }

    public override UndoResult Undo(IMultipathSystem system)
    {
        var now = system.ReadFile(Path);
        if (now is not null && now != Text) return new(UndoOutcome.Left, "somebody changed its unit file meanwhile");
        if (now is null)
        {
            system.Run("systemctl", "daemon-reload"); // it may have been deleted last time, before systemd was told
            return new(UndoOutcome.Gone);
        }

        Run(system, "disable", "--now", Name);
        system.DeleteFile(Path);
        Run(system, "daemon-reload");
        return new(UndoOutcome.Undone);
    }

    protected override ChangeWords Describe() => new(
        "service",
        $"run \"bondline mptcp watch\" now and after a restart of the machine: {Path}",
        $"systemctl enable --now {Name}",
        $"systemctl disable --now {Name}; rm {Path}; systemctl daemon-reload");

    private static void Run(IMultipathSystem system, params string[] arguments)
    {
        var result = system.Run("systemctl", arguments);
        if (result.ExitCode != 0)
            throw new CommandException("service-refused", $"\"systemctl {string.Join(' ', arguments)}\" failed: {result.Reason}", "Look at what systemctl says, or leave --persist out");
    }
}
