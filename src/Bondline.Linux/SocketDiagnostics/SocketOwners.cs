using System.Globalization;

namespace Bondline.Linux;

/// <summary>A process that has a socket open.</summary>
/// <param name="Id">Its process id, in our pid namespace.</param>
/// <param name="Name">What the kernel calls it: at most 15 characters.</param>
public readonly record struct SocketOwner(int Id, string Name);

/// <summary>Finds which processes have which sockets, in /proc/PID/fd. Without root only the user's own processes are seen.</summary>
public static class SocketOwners
{
    private const string Prefix = "socket:[";

    /// <param name="inodes">The sockets' (<see cref="InetSocket.Inode"/>); 0 is nobody's.</param>
    /// <param name="folder">Where processes are; another one for tests.</param>
    /// <returns>The lowest process id of each socket that has one we may see.</returns>
    public static IReadOnlyDictionary<uint, SocketOwner> Find(IReadOnlySet<uint> inodes, string folder = "/proc")
    {
        ArgumentNullException.ThrowIfNull(inodes);
        var owners = new Dictionary<uint, SocketOwner>();
        if (inodes.Count == 0 || !Directory.Exists(folder)) return owners;
        var processes = Directory.EnumerateDirectories(folder).Select(Path.GetFileName)
            .Select(name => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0).Where(id => id > 0).Order();
        foreach (var id in processes)
            foreach (var inode in SocketsOf(Path.Combine(folder, id.ToString(CultureInfo.InvariantCulture), "fd")))
                if (inodes.Contains(inode) && !owners.ContainsKey(inode))
                    owners[inode] = new(id, NameOf(folder, id));
        return owners;
    }

    private static IEnumerable<uint> SocketsOf(string folder)
    {
        string[] files;
        try
        {
            files = Directory.GetFileSystemEntries(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return []; // the process ended meanwhile, or is another user's
        }

        return files.Select(TargetOf).OfType<string>().Select(Inode).OfType<uint>();
    }

    private static string? TargetOf(string file)
    {
        try
        {
            return Path.GetFileName(File.ResolveLinkTarget(file, returnFinalTarget: false)?.FullName);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // closed meanwhile
        }
    }

    private static uint? Inode(string target) =>
        target.StartsWith(Prefix, StringComparison.Ordinal) && target.EndsWith(']') && uint.TryParse(target.AsSpan(Prefix.Length..^1), NumberStyles.None, CultureInfo.InvariantCulture, out var inode) ? inode : null;

    private static string NameOf(string folder, int id)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, id.ToString(CultureInfo.InvariantCulture), "comm")).TrimEnd('\n');
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return ""; // ended meanwhile
        }
    }
}
