namespace Bondline.Linux;

/// <summary>One sysctl of MPTCP as it is now.</summary>
/// <param name="Name">Behind <c>net.mptcp.</c></param>
/// <param name="Value">Without the line end.</param>
/// <param name="Meaning">In plain words, a sentence without its full stop; null for one that came after this program.</param>
public sealed record MultipathSetting(string Name, string Value, string? Meaning);

/// <summary>The sysctls <c>net.mptcp.*</c>; each network namespace has its own. Reading needs no rights, writing CAP_NET_ADMIN.</summary>
/// <remarks>
/// Of the calling thread's namespace: /proc/sys/net follows the thread that opens a file there. Documentation/networking/mptcp-sysctl.rst of the
/// kernel; values as of Linux 6.18. Thread safe.
/// </remarks>
/// <param name="folder">Where they are; another one for tests.</param>
public sealed class MultipathSettings(string folder = MultipathSettings.KernelFolder)
{
    public const string KernelFolder = "/proc/sys/net/mptcp";

    private static readonly Dictionary<string, string> Meanings = new(StringComparer.Ordinal)
    {
        ["enabled"] = "1: programs may make MPTCP sockets; 0: they may not, and most then use plain TCP",
        ["path_manager"] = "who opens further subflows: \"kernel\" (by the endpoints) or \"userspace\" (a daemon, for each connection)",
        ["available_path_managers"] = "the path managers this kernel has",
        ["pm_type"] = "the older name of path_manager: 0 kernel, 1 userspace",
        ["scheduler"] = "what picks the subflow for the next data",
        ["available_schedulers"] = "the schedulers this kernel has",
        ["allow_join_initial_addr_port"] = "1: peers may join at the address and port they connected to; 0: only at announced ones (behind some load balancers)",
        ["add_addr_timeout"] = "seconds after which an unconfirmed announcement of an address is repeated, at most; 0: never",
        ["add_addr_v6_port_drop_ts"] = "1: an announcement of an IPv6 address with a port may push TCP's timestamp out of its packet",
        ["blackhole_timeout"] = "seconds this machine does not ask for MPTCP after requests for it vanished while plain ones passed, doubled each time; 0: go on asking",
        ["checksum_enabled"] = "1: checksums find data that was changed on the way, for more work; both ends agree on it",
        ["close_timeout"] = "seconds a connection that lost its last subflow waits for another one",
        ["stale_loss_cnt"] = "how many times in a row data must be sent again elsewhere before a subflow is left out; 0: never. Fewer switch faster, more make better use of lossy networks",
        ["syn_retrans_before_tcp_fallback"] = "how often a request for MPTCP is repeated before it is made without (128 or more: never without)",
    };

    /// <summary>This kernel has MPTCP, switched on or off.</summary>
    public bool Exist => Directory.Exists(folder);

    /// <summary>Programs may make MPTCP sockets.</summary>
    public bool IsEnabled => Read("enabled") == "1";

    /// <summary>Every sysctl this kernel has and lets us read, by name; empty without MPTCP.</summary>
    public IReadOnlyList<MultipathSetting> ReadAll() => !Exist ? [] :
    [
        .. Directory.EnumerateFiles(folder).Select(Path.GetFileName).OfType<string>().Order(StringComparer.Ordinal)
            .Where(IsName)
            .Select(name => (name, value: Read(name)))
            .Where(read => read.value is not null)
            .Select(read => new MultipathSetting(read.name, read.value!, Meaning(read.name))),
    ];

    /// <returns>Null if this kernel does not have it, or it cannot be read.</returns>
    public string? Read(string name)
    {
        try
        {
            return File.ReadAllText(PathOf(name)).TrimEnd();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Changes one at once, until the next start of the machine.</summary>
    /// <exception cref="UnauthorizedAccessException">CAP_NET_ADMIN is missing.</exception>
    /// <exception cref="FileNotFoundException">This kernel does not have it.</exception>
    /// <exception cref="DirectoryNotFoundException">This kernel has no MPTCP.</exception>
    /// <exception cref="IOException">The kernel refuses the value, or /proc/sys cannot be written here (a container).</exception>
    public void Write(string name, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        // One write of the whole value, as the kernel takes it; nothing is made if it is not there.
        using var file = File.OpenHandle(PathOf(name), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(file, System.Text.Encoding.ASCII.GetBytes(value + "\n"), fileOffset: 0);
    }

    /// <returns>Null for one that came after this program.</returns>
    public static string? Meaning(string name) => Meanings.GetValueOrDefault(name);

    private string PathOf(string name) =>
        IsName(name) ? Path.Combine(folder, name) : throw new ArgumentException($"\"{name}\" is no name of a sysctl.", nameof(name));

    private static bool IsName(string name) => name.Length > 0 && name.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '_');
}
