using System.Net;
using System.Runtime.Versioning;
using Bondline.Cli.Multipath;
using Bondline.Linux;
using Xunit;

namespace Bondline.Cli.Tests.Multipath;

/// <summary>The parts of <see cref="LinuxMultipathSystem"/> below a folder of its own: files, the lock, programs.</summary>
[SupportedOSPlatform("linux")]
public sealed class MachinePartTests : IDisposable
{
    private const string NetworkManager = """
        #!/bin/sh
        echo "$LC_ALL $*" >>"$0.calls"
        case "$*" in
        "-t -f RUNNING,VERSION general status") echo running:1.42.4 ;;
        "-t -f UUID,DEVICE connection show --active") printf '11111111-2222-3333-4444-555555555555:eth0\n11111111-2222-3333-4444-666666666666:\nnonsense\n11111111-2222-3333-4444-777777777777:odd\\:name\n' ;;
        *) echo "Error: unknown." >&2; exit 8 ;;
        esac
        """;

    private readonly string _root = Directory.CreateTempSubdirectory("bondline-machine-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_file_is_written_whole_read_and_deleted_with_the_folder_made_for_it()
    {
        var files = new ProtectedFiles(_root);
        Assert.Null(files.Read(MultipathFiles.PersistentJournal));
        files.Write(MultipathFiles.PersistentJournal, "one");
        files.Write(MultipathFiles.PersistentJournal, "two");
        Assert.Equal("two", files.Read(MultipathFiles.PersistentJournal));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead, File.GetUnixFileMode(_root + MultipathFiles.PersistentJournal));
        Assert.Single(Directory.EnumerateFiles(_root + MultipathFiles.StateFolder));
        files.Delete(MultipathFiles.PersistentJournal);
        files.Delete(MultipathFiles.PersistentJournal);
        Assert.False(Directory.Exists(_root + MultipathFiles.StateFolder));
        Assert.True(Directory.Exists(_root + "/var/lib"));
    }

    [Fact]
    public void One_at_a_time_holds_the_lock_and_nothing_is_left_of_it()
    {
        var files = new ProtectedFiles(_root);
        var most = 0;
        var holding = 0;
        Parallel.For(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ =>
        {
            using var taken = files.TryLock(MultipathFiles.Lock, CancellationToken.None) ?? throw new TimeoutException("Nobody gave the lock back.");
            var now = Interlocked.Increment(ref holding);
            InterlockedMax(ref most, now);
            Interlocked.Decrement(ref holding);
        });
        Assert.Equal(1, most);
        Assert.False(Directory.Exists(_root + MultipathFiles.RunFolder));
        using var stopped = new CancellationTokenSource();
        stopped.Cancel();
        Assert.Throws<OperationCanceledException>(() => files.TryLock(MultipathFiles.Lock, stopped.Token));
        using (files.TryLock(MultipathFiles.Lock, CancellationToken.None)) Assert.Null(new ProtectedFiles(_root) { LockPatience = TimeSpan.Zero }.TryLock(MultipathFiles.Lock, CancellationToken.None));
    }

    [Fact]
    public async Task A_deleted_file_is_told_of_and_an_overwritten_one_is_not()
    {
        var files = new ProtectedFiles(_root);
        files.Write(MultipathFiles.PersistentJournal, "one");
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var watch = files.Watch(MultipathFiles.PersistentJournal, () => gone.TrySetResult());
        files.Write(MultipathFiles.PersistentJournal, "two");
        Assert.False(gone.Task.IsCompleted);
        files.Delete(MultipathFiles.PersistentJournal);
        await gone.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void A_file_that_is_gone_with_its_folder_is_told_of()
    {
        var told = 0;
        using var watch = new ProtectedFiles(_root).Watch(MultipathFiles.PersistentJournal, () => told++);
        Assert.False(Directory.Exists(_root + MultipathFiles.StateFolder));
        Assert.Equal(1, told);
    }

    [Fact, Trait("Mode", "normal")]
    public void Without_any_watch_left_a_file_is_followed_without_one()
    {
        const string Mark = "BONDLINE_TEST_NO_WATCHES";
        if (Environment.GetEnvironmentVariable(Mark) is null)
        {
            // A user namespace has a limit of its own, which nobody else notices: this very test again, inside one.
            var itself = $"/*/*/{nameof(MachinePartTests)}/{nameof(Without_any_watch_left_a_file_is_followed_without_one)}";
            var inside = new ToolRunner(Environment.GetEnvironmentVariable("PATH")).Run("unshare", "--user", "--map-root-user", "--", "sh", "-c",
                $"echo 0 >/proc/sys/user/max_inotify_instances && {Mark}=1 exec \"$0\" --filter-query '{itself}'", Environment.ProcessPath!);
            Assert.True(inside.ExitCode == 0, inside.Output + inside.Reason);
            return;
        }

        using (var watcher = new FileSystemWatcher(_root)) Assert.Throws<IOException>(() => watcher.EnableRaisingEvents = true);
        var files = new ProtectedFiles(_root);
        files.Write(MultipathFiles.PersistentJournal, "one");
        var told = 0;
        using (files.Watch(MultipathFiles.PersistentJournal, () => told++)) Assert.Equal(0, told);
        files.Delete(MultipathFiles.PersistentJournal);
        using (files.Watch(MultipathFiles.PersistentJournal, () => told++)) Assert.Equal(1, told);
    }

    [Fact]
    public void NetworkManager_is_asked_in_its_own_words()
    {
        var nmcli = Path.Combine(_root, "nmcli");
        File.WriteAllText(nmcli, NetworkManager);
        File.SetUnixFileMode(nmcli, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var tools = new ToolRunner($"relative:/nonexistent:{_root}:/usr/bin");
        var state = NetworkManagerState.Read(tools);
        Assert.Equal("1.42.4", state.Version);
        Assert.Equal(["eth0", "odd:name"], state.Connections.Keys);
        Assert.All(File.ReadAllLines(nmcli + ".calls"), call => Assert.StartsWith("C -t -f ", call, StringComparison.Ordinal));
        var refused = tools.Run("nmcli", "device", "reapply", "eth9");
        Assert.Equal((8, "Error: unknown"), (refused.ExitCode, refused.Reason));
        Assert.Equal(127, new ToolRunner("/nonexistent").Run("nmcli").ExitCode);
        Assert.Null(NetworkManagerState.Read(new ToolRunner(null)).Version);
    }

    [Theory]
    [InlineData("1.40.0", true)]
    [InlineData("1.42.4-rc1", true)]
    [InlineData("2.0", true)]
    [InlineData("1.38.6", false)]
    [InlineData("x", false)]
    public void NetworkManager_knows_of_MPTCP_since_1_40(string version, bool knows) => Assert.Equal(knows, NetworkManagerState.KnowsMultipath(version));

    [Fact]
    public void Routers_are_read_from_a_lease_of_networkd() =>
        Assert.Equal([IPAddress.Parse("192.168.1.1"), IPAddress.Parse("192.168.1.2")], DhcpLease.ReadRouters("# x\nADDRESS=192.168.1.5\nROUTER=192.168.1.1 192.168.1.2 0.0.0.0 nonsense\n"));

    [Fact]
    public void Every_kind_of_change_is_written_down_and_read_back_the_same()
    {
        MultipathChange[] changes =
        [
            new SysctlChange(SysctlChange.Enabled, "1", "0"),
            new SysctlChange("net.ipv4.conf.eth0/5.rp_filter", "2", "1"),
            new SysctlChange(SysctlChange.MaxUnsentBytes, "131072", "4294967295"),
            new SysctlChange("net.ipv4.conf.eth1.rp_filter", "2", "1", InterfaceIndex: 7),
            new RouteChange("eth0", 2, IPAddress.Any, IPAddress.Parse("10.0.0.1"), 1100),
            new RouteChange("tun0", 3, IPAddress.IPv6Any, null, 1200),
            new LimitsChange(3, 2),
            new EndpointChange(IPAddress.Parse("2001:db8::1"), "wlan0", 4, MultipathEndpointFlags.Subflow | MultipathEndpointFlags.Backup),
            new SettingsChange("net.mptcp.enabled = 1\n", [new(SysctlChange.Enabled, "1", "0")]),
            new ServiceChange("[Unit]\n"),
            new ConnectionChange("11111111-2222-3333-4444-555555555555", "eth0", "0x22", "0x0", HadEndpoint: true),
        ];
        var text = MultipathJournal.Format(new(JournalText.CurrentVersion, changes));
        Assert.Equal(changes, MultipathJournal.Parse(text, "x").Changes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"version":2,"changes":[]}""")]
    [InlineData("""{"version":1,"changes":[{}]}""")]
    [InlineData("""{"version":1,"changes":[null]}""")]
    [InlineData("""{"version":1,"changes":[{"kind":"sysctl","name":"net.ipv4.conf.../../kernel.rp_filter","value":"2","was":"1"}]}""")]
    [InlineData("""{"version":1,"changes":[{"kind":"sysctl","name":"net.mptcp.enabled","value":"1","was":"0","interfaceIndex":2}]}""")]
    [InlineData("""{"version":1,"changes":[{"kind":"connection","connection":"--help","interface":"eth0","flags":"0x2","was":"0x0"}]}""")]
    [InlineData("""{"version":1,"changes":[{"kind":"connection","connection":"11111111-2222-3333-4444-555555555555","interface":"-x","flags":"0x2","was":"0x0"}]}""")]
    [InlineData("""{"version":1,"changes":[{"kind":"route","interface":"eth0","interfaceIndex":2,"network":"10.0.0.0","metric":1}]}""")]
    [InlineData("""{"version":1,"changes":[{"kind":"endpoint","address":"fe80::1%3","interface":"eth0","interfaceIndex":2,"flags":2}]}""")]
    [InlineData("""{"version":1,"changes":[{"kind":"limits","subflows":9,"wasSubflows":2}]}""")]
    [InlineData("""{"version":1,"changes":[{"kind":"command","run":"rm"}]}""")]
    public void A_journal_that_names_what_this_program_would_not_change_is_refused(string text) =>
        Assert.Equal("data-unusable", Assert.Throws<CommandException>(() => MultipathJournal.Parse(text, "x")).Code);

    [Fact]
    public void Names_in_a_unit_are_words_and_nothing_else()
    {
        var unit = MultipathPersistence.Service("/opt/bondline", ["eth0", "a\"b", "50%", "$HOME", "c\\d"]).Text;
        Assert.Contains("\nType=notify\nNotifyAccess=main\n", unit, StringComparison.Ordinal);
        Assert.Contains("ExecStart=/opt/bondline mptcp watch eth0 \"a\\\"b\" \"50%%\" \"$$HOME\" \"c\\\\d\"\n", unit, StringComparison.Ordinal);
    }

    [Fact]
    public void A_program_that_others_could_replace_is_found()
    {
        Assert.Null(FileOwner.FindPartNotOfRoot("/bin/sh" is var shell && new FileInfo(shell).ResolveLinkTarget(returnFinalTarget: true) is { } target ? target.FullName.Replace("/bin/../", "/", StringComparison.Ordinal) : shell));
        Assert.Equal("/tmp", FileOwner.FindPartNotOfRoot("/tmp/x/bondline"));
        Assert.Equal("/usr/nonexistent", FileOwner.FindPartNotOfRoot("/usr/nonexistent/bondline"));
    }

    [Fact]
    public void Running_programs_are_found_by_name_in_this_namespace_only()
    {
        Process("self", "test", "net:[1]");
        Process("1", "init", "net:[1]");
        Process("20", "mptcpd", "net:[2]");
        Process("30", "NetworkManager", "net:[1]");
        var programs = new RunningPrograms(_root);
        Assert.True(programs.Exists("NetworkManager"));
        Assert.False(programs.Exists("mptcpd"));
        Assert.True(programs.IsInFirstNamespace);
        Assert.False(new RunningPrograms("/nonexistent").Exists("mptcpd"));

        void Process(string id, string name, string inside)
        {
            Directory.CreateDirectory(Path.Combine(_root, id, "ns"));
            File.WriteAllText(Path.Combine(_root, id, "comm"), name + "\n");
            File.CreateSymbolicLink(Path.Combine(_root, id, "ns", "net"), inside);
        }
    }

    [Theory]
    [InlineData("Name:\tx\nCapEff:\t0000000000001000\n", true)]
    [InlineData("CapEff:\t0000000000000fff\n", false)]
    [InlineData("CapEff:\tnonsense\n", false)]
    [InlineData("", false)]
    public void The_right_is_read_from_the_kernels_bits(string status, bool has) => Assert.Equal(has, Capability.HasEffective(status, 12));

    private static void InterlockedMax(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); value > seen; seen = Volatile.Read(ref most))
            if (Interlocked.CompareExchange(ref most, value, seen) == seen)
                return;
    }
}
