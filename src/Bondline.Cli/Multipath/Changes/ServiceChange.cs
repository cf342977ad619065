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
        Run(system, "enable", Name);
        return null;
    }

    /// <summary>Starts it, and waits until it has done what there is to do at first. For that it needs the lock, so whoever waits must not hold it.</summary>
    /// <exception cref="CommandException">It does not start, and is as <see cref="Make"/> left it.</exception>
    public static void Start(IMultipathSystem system)
    {
        var result = system.Run("systemctl", "start", Name);
        if (result.ExitCode == 0) return;
        var said = system.Run("systemctl", "show", "--property=StatusText", "--value", Name);
        throw new CommandException("service-refused", $"{Name} does not start: {(said.Output.Trim() is { Length: > 0 } why ? why : result.Reason)}", $"Look at what it said (journalctl -u {Name}), or leave --persist out");
    }

    /// <summary>Has it started as soon as it can be; systemd sees to it.</summary>
    public static void StartLater(IMultipathSystem system) => Run(system, "start", "--no-block", Name);

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
        system.Run("systemctl", "reset-failed", Name); // or one that failed stays on systemd's list, without a file
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
