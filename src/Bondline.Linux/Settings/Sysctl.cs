using System.Text;

namespace Bondline.Linux;

/// <summary>The kernel's settings by the names that sysctl(8) takes: <c>net.ipv4.conf.eth0.rp_filter</c>; a dot within an interface's name is written as a slash.</summary>
/// <remarks>Those below <c>net.</c> are of the calling thread's network namespace: /proc/sys/net follows the thread that opens a file there. Thread safe.</remarks>
/// <param name="folder">Where they are; another one for tests.</param>
public sealed class Sysctl(string folder = "/proc/sys")
{
    /// <summary>The name of one of an interface's IPv4 settings.</summary>
    public static string OfInterface(string interfaceName, string setting)
    {
        ArgumentNullException.ThrowIfNull(interfaceName);
        return $"net.ipv4.conf.{interfaceName.Replace('.', '/')}.{setting}";
    }

    /// <returns>Its value without the line end; null if this kernel does not have it, or it cannot be read.</returns>
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

    /// <summary>Changes one at once, until the next start of the machine. Needs root, or CAP_NET_ADMIN for those below <c>net.</c></summary>
    /// <exception cref="UnauthorizedAccessException">The right is missing.</exception>
    /// <exception cref="IOException">This kernel does not have it or refuses the value, or /proc/sys cannot be written here (a container).</exception>
    public void Write(string name, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        // One write of the whole value, as the kernel takes it; nothing is made if it is not there.
        using var file = File.OpenHandle(PathOf(name), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(file, Encoding.ASCII.GetBytes(value + "\n"), fileOffset: 0);
    }

    private string PathOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        string[] parts = [.. name.Split('.').Select(part => part.Replace('/', '.'))];
        // An interface may be called "eth0." or "..x"; but no part may be a step to another folder.
        if (parts.Any(part => part is "" or "." or ".." || part.Contains('\0', StringComparison.Ordinal))) throw new ArgumentException($"\"{name}\" is no name of a sysctl.", nameof(name));
        return Path.Combine([folder, .. parts]);
    }
}
