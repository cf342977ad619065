using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;

namespace Bondline.Linux;

/// <summary>A named network namespace: a file under <see cref="Directory"/> that holds it, as <c>ip netns</c> makes them, so <c>ip netns exec</c> works on it too.</summary>
/// <remarks>Needs CAP_SYS_ADMIN. The namespace lives until it is deleted, whatever becomes of the process that made it.</remarks>
public sealed partial class NetworkNamespace
{
    public const string Directory = "/run/netns";

    private const int CloneNewNet = 0x4000_0000;
    private const ulong MsBind = 4096, MsRecursive = 16384, MsShared = 1 << 20;
    private const int MntDetach = 2;
    private const int SolSocket = 1, NamespaceCookie = 71;

    private NetworkNamespace(string name) => Name = name;

    public string Name { get; }

    public string Path => System.IO.Path.Combine(Directory, Name);

    public bool Exists => File.Exists(Path);

    /// <summary>Names the namespace; whether it exists is not looked at.</summary>
    /// <exception cref="ArgumentException">The name could not be one file's name.</exception>
    public static NetworkNamespace Named(string name)
    {
        if (!ValidName().IsMatch(name)) throw new ArgumentException($"\"{name}\" cannot name a network namespace.", nameof(name));
        return new(name);
    }

    /// <summary>Every named namespace of this machine.</summary>
    public static IReadOnlyList<NetworkNamespace> List() =>
        System.IO.Directory.Exists(Directory)
            ? [.. System.IO.Directory.EnumerateFiles(Directory).Select(System.IO.Path.GetFileName).OfType<string>().Where(name => ValidName().IsMatch(name)).Order().Select(name => new NetworkNamespace(name))]
            : [];

    /// <summary>The number of the calling thread's namespace, which no other one gets until the machine starts again (SO_NETNS_COOKIE, Linux 5.14).</summary>
    /// <returns>Null on an older kernel.</returns>
    public static ulong? CurrentCookie()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        Span<byte> cookie = stackalloc byte[sizeof(ulong)];
        try
        {
            return socket.GetRawSocketOption(SolSocket, NamespaceCookie, cookie) == sizeof(ulong) ? MemoryMarshal.Read<ulong>(cookie) : null;
        }
        catch (SocketException)
        {
            return null;
        }
    }

    /// <summary>Makes an empty namespace: a loopback device that is down, nothing else.</summary>
    /// <exception cref="Win32Exception">The kernel refused; most often the right to is missing.</exception>
    public static NetworkNamespace Create(string name)
    {
        var made = Named(name);
        System.IO.Directory.CreateDirectory(Directory);
        ShareDirectory();
        File.Open(made.Path, FileMode.CreateNew).Dispose();
        try
        {
            OnNewThread(() =>
            {
                Check(unshare(CloneNewNet), "make a network namespace");
                Check(mount("/proc/thread-self/ns/net", made.Path, "none", MsBind, 0), $"bind the namespace to {made.Path}");
                return true;
            });
        }
        catch
        {
            File.Delete(made.Path);
            throw;
        }
        return made;
    }

    /// <summary>Removes the name. The kernel drops the namespace, with its devices, when the last process or socket in it is gone.</summary>
    public void Delete()
    {
        if (!Exists) return;
        umount2(Path, MntDetach); // fails if a crash left a plain file: the file is removed all the same
        File.Delete(Path);
    }

    /// <summary>Runs <paramref name="work"/> inside the namespace on a thread of its own and waits for it. Sockets and devices it opens stay in the namespace.</summary>
    public T Run<T>(Func<T> work) => OnNewThread(() =>
    {
        Enter();
        return work();
    });

    /// <summary>Moves the calling thread into the namespace for good: call it only on a thread that you started and that ends with its work.</summary>
    public void Enter() => Enter(Path);

    /// <summary>As <see cref="Run"/>, in the namespace that a path leads to, <c>/proc/PID/ns/net</c> of a process for example.</summary>
    /// <exception cref="Win32Exception">The kernel refused; most often the right to is missing.</exception>
    /// <exception cref="IOException">The path leads nowhere.</exception>
    /// <exception cref="UnauthorizedAccessException">It is not ours to open.</exception>
    public static T RunAt<T>(string path, Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        return OnNewThread(() =>
        {
            Enter(path);
            return work();
        });
    }

    /// <summary>The processes that are in the namespace.</summary>
    public IReadOnlyList<int> Processes()
    {
        var own = Inode(Path);
        var inside = new List<int>();
        if (own is null) return inside;
        foreach (var folder in System.IO.Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(System.IO.Path.GetFileName(folder), out var process) && Inode($"/proc/{process}/ns/net") == own)
                inside.Add(process);
        return inside;
    }

    public override string ToString() => Name;

    private static void Enter(string path)
    {
        using var handle = File.OpenHandle(path);
        Check(setns(handle, CloneNewNet), $"enter the network namespace {path}");
    }

    private static string? Inode(string path)
    {
        try
        {
            var buffer = new byte[256];
            if (statx(-100, path, 0, 0x100, buffer) != 0) return null; // AT_FDCWD, STATX_INO: the process may have ended
            return $"{MemoryMarshal.Read<ulong>(buffer.AsSpan(32))}:{MemoryMarshal.Read<uint>(buffer.AsSpan(136))}:{MemoryMarshal.Read<uint>(buffer.AsSpan(140))}";
        }
        catch (IOException)
        {
            return null;
        }
    }

    // A shared mount shows new namespaces in the mount namespaces that `ip netns exec` makes.
    private static void ShareDirectory()
    {
        if (mount("", Directory, "none", MsShared | MsRecursive, 0) == 0) return;
        Check(mount(Directory, Directory, "none", MsBind | MsRecursive, 0), $"bind {Directory} to itself");
        Check(mount("", Directory, "none", MsShared | MsRecursive, 0), $"share {Directory}");
    }

    private static T OnNewThread<T>(Func<T> work)
    {
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = work();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e); // thrown again on the caller's thread
            }
        })
        {
            IsBackground = true,
            Name = "namespace",
        };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result!;
    }

    private static void Check(int result, string what)
    {
        if (result >= 0) return;
        var error = Marshal.GetLastPInvokeError();
        throw new Win32Exception(error, $"Cannot {what}: {Marshal.GetPInvokeErrorMessage(error)}.");
    }

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$")]
    private static partial Regex ValidName();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setns(SafeFileHandle handle, int type);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string source, string target, string type, ulong flags, nint data);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int umount2(string target, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, [Out] byte[] result);
}
