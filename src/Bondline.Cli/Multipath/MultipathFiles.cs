namespace Bondline.Cli.Multipath;

/// <summary>Where <c>bondline mptcp</c> writes.</summary>
internal static class MultipathFiles
{
    /// <summary>What the kernel forgets when the machine starts again, and so does this folder. Of root's.</summary>
    public const string RunFolder = "/run/bondline-mptcp";

    /// <summary>What stays. Not below /var/lib/bondline: that is the relay's, whose user could then tell root what to undo.</summary>
    public const string StateFolder = "/var/lib/bondline-mptcp";

    public const string PersistentJournal = StateFolder + "/persistent.json";

    public const string Settings = "/etc/sysctl.d/90-bondline-mptcp.conf";

    public const string Unit = "/etc/systemd/system/bondline-mptcp.service";

    public const string Lock = RunFolder + "/lock";

    /// <summary>Of one network namespace.</summary>
    public static string JournalOf(string networkNamespace) => $"{RunFolder}/{networkNamespace}.json";
}
