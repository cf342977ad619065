using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>A user namespace of one's own (user_namespaces(7)): in it an ordinary user may make network namespaces, mounts and devices that nobody outside sees.</summary>
public static partial class UserNamespace
{
    private const string Mark = "BONDLINE_USER_NAMESPACE";
    private const int NetworkAdministration = 12, SystemAdministration = 21;

    // `ip netns` keeps its names in /run/netns, which is root's: ours lies over it, and ends with our mounts.
    private const string Script = $"""
        if [ ! -d {NetworkNamespace.Directory} ]; then mount -t tmpfs tmpfs /run && mkdir {NetworkNamespace.Directory} || exit; fi
        mount -t tmpfs -o mode=755 tmpfs {NetworkNamespace.Directory} || exit
        export {Mark}=1
        exec "$@"
        """;

    private static readonly string[] Unshare = ["--user", "--map-root-user", "--mount", "--", "sh", "-c", Script, "sh"];

    /// <summary>This process may make network namespaces and devices: it is root, or was started by <see cref="Restart"/>.</summary>
    public static bool HasRights
    {
        get
        {
            var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("CapEff:", StringComparison.Ordinal));
            const ulong Needed = (1UL << NetworkAdministration) | (1UL << SystemAdministration);
            return (ulong.Parse(line.AsSpan("CapEff:".Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & Needed) == Needed;
        }
    }

    /// <summary>This process was started by <see cref="Restart"/>.</summary>
    public static bool IsInside => Environment.GetEnvironmentVariable(Mark) == "1";

    /// <summary>Replaces this process by the same program with the same arguments, inside a new user namespace. It keeps its process id, its terminal and its files.</summary>
    /// <returns>Only if that cannot be: what is missing, and what to type.</returns>
    public static string Restart()
    {
        if (IsInside) return "this system took the rights in the new user namespace away again";
        string said;
        try
        {
            using var trial = Process.Start(new ProcessStartInfo("unshare", [.. Unshare, "true"]) { RedirectStandardError = true })!;
            said = trial.StandardError.ReadToEnd().Trim();
            trial.WaitForExit();
            if (trial.ExitCode != 0) return Explain(ReadSetting, said);
        }
        catch (Win32Exception)
        {
            return "the program \"unshare\" is missing: it is in the package util-linux";
        }
        var own = File.ReadAllText("/proc/self/cmdline").TrimEnd('\0').Split('\0');
        string?[] arguments = ["unshare", .. Unshare, Environment.ProcessPath!, .. own[1..], null];
        _ = execvp("unshare", arguments);
        return Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
    }

    /// <summary>Why the system gives ordinary users no user namespace.</summary>
    /// <param name="setting">The value of a setting under /proc/sys; null if this kernel does not have it.</param>
    /// <param name="said">What unshare(1) said.</param>
    public static string Explain(Func<string, string?> setting, string said)
    {
        foreach (var (name, refused, allowed) in ((string, string, string)[])
            [
                ("user.max_user_namespaces", "0", "15000"),
                ("kernel.unprivileged_userns_clone", "0", "1"),
                ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
            ])
        {
            if (setting(name) == refused) return $"{name} is {refused}; \"sudo sysctl {name}={allowed}\" allows it until the next boot";
        }
        return $"{said} (in a container its own rules may forbid it)";
    }

    private static string? ReadSetting(string name)
    {
        try
        {
            return File.ReadAllText($"/proc/sys/{name.Replace('.', '/')}").Trim();
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int execvp(string file, string?[] arguments);
}
