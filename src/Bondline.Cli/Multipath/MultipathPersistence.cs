using System.Runtime.CompilerServices;
using System.Text;

namespace Bondline.Cli.Multipath;

/// <summary>What makes a set-up outlive a restart of the machine: facts and plan in, changes out. No I/O.</summary>
internal static class MultipathPersistence
{
    private const string Header = """
        # Written by "bondline mptcp enable --persist"; "bondline mptcp disable" takes it away again.

        """;

    /// <summary>The interfaces whose endpoints NetworkManager is to keep, with its connections.</summary>
    public static IReadOnlyDictionary<string, string> Managed(MultipathFacts facts, MultipathPlan plan) =>
        facts.Managers.NetworkManager is { } version && NetworkManagerState.KnowsMultipath(version)
            ? facts.Interfaces.Where(each => each.Connection is not null && plan.Used.Any(used => used.Name == each.Name)).ToDictionary(each => each.Name, each => each.Connection!, StringComparer.Ordinal)
            : new Dictionary<string, string>();

    /// <summary>A service is needed for what neither NetworkManager nor a setting does: endpoints of other interfaces, routes, limits beyond the kernel's own.</summary>
    /// <param name="plan">What there is to do.</param>
    /// <param name="made">What was done before, in this run of the machine.</param>
    /// <param name="managed">The interfaces NetworkManager sees to.</param>
    public static bool NeedsService(MultipathPlan plan, IEnumerable<MultipathChange> made, IReadOnlyDictionary<string, string> managed) =>
        plan.Used.Any(used => !managed.ContainsKey(used.Name)) || !plan.Used.Any() || plan.Changes.Concat(made).Any(change => change is RouteChange or LimitsChange);

    /// <summary>The drop-in for systemd-sysctl.</summary>
    /// <param name="settings">Those that were changed.</param>
    public static SettingsChange Settings(IReadOnlyList<SysctlChange> settings)
    {
        var text = new StringBuilder(Header);
        text.Append(SysctlChange.Enabled).Append(" = 1\n");
        // The minus: an interface that is not there is no error.
        foreach (var setting in settings.Where(setting => setting.Name != SysctlChange.Enabled).DistinctBy(setting => setting.Name))
            text.Append('-').Append(setting.Name).Append(" = ").Append(setting.Value).Append('\n');
        return new(text.ToString(), [.. settings.Select(setting => setting with { InterfaceIndex = null })]); // interfaces have other numbers after a restart
    }

    /// <summary>The unit that runs <c>bondline mptcp watch</c>.</summary>
    /// <param name="program">The file of this program.</param>
    /// <param name="names">The interfaces the user named.</param>
    public static ServiceChange Service(string program, IReadOnlyList<string> names) => new($"""
        {Header}[Unit]
        Description=Bondline: endpoints of Multipath TCP follow the machine's networks
        Wants=network-pre.target
        After=network-pre.target systemd-sysctl.service
        StartLimitIntervalSec=300
        StartLimitBurst=10

        [Service]
        Type=notify
        NotifyAccess=main
        ExecStart={string.Join(' ', ((IEnumerable<string>)[program, "mptcp", "watch", .. names]).Select(Quote))}
        Restart=on-failure
        RestartSec=5
        TimeoutStartSec=60

        # It changes endpoints, limits, routes and settings of the network, talks to the kernel alone, and writes to one folder.
        RuntimeDirectory={Path.GetFileName(MultipathFiles.RunFolder)}
        RuntimeDirectoryPreserve=yes
        CapabilityBoundingSet=CAP_NET_ADMIN
        NoNewPrivileges=yes
        RestrictAddressFamilies=AF_NETLINK AF_UNIX
        IPAddressDeny=any
        ProtectSystem=strict
        ProtectHome=read-only
        PrivateTmp=yes
        PrivateDevices=yes
        ProtectClock=yes
        ProtectControlGroups=yes
        ProtectHostname=yes
        ProtectKernelLogs=yes
        ProtectKernelModules=yes
        LockPersonality=yes
        RestrictNamespaces=yes
        RestrictRealtime=yes
        RestrictSUIDSGID=yes
        SystemCallArchitectures=native
        SystemCallFilter=@system-service
        {(RuntimeFeature.IsDynamicCodeCompiled ? "# No MemoryDenyWriteExecute: this program was not compiled natively." : "MemoryDenyWriteExecute=yes")}

        [Install]
        WantedBy=multi-user.target

        """);

    /// <summary>systemd takes the path of a program as it stands.</summary>
    public static bool IsPlain(string word) => word.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '/' or '.' or '_' or '-' or ':' or '@' or '+');

    // systemd.syntax(7): a word in quotes; % and $ begin what it would replace.
    private static string Quote(string word) => IsPlain(word)
        ? word
        : $"\"{word.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("%", "%%", StringComparison.Ordinal).Replace("$", "$$", StringComparison.Ordinal)}\"";
}
