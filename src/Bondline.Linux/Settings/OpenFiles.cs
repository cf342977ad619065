using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>How many files, sockets among them, a process may have open (RLIMIT_NOFILE, getrlimit(2)).</summary>
public static partial class OpenFiles
{
    internal const int Resource = 7; // RLIMIT_NOFILE

    /// <summary>This process's limit now: beyond it opening and accepting fail. At most <see cref="int.MaxValue"/>.</summary>
    /// <value>Null if the kernel does not say.</value>
    public static int? Most => TryRead(out var own) ? (int)Math.Min(own.Soft, int.MaxValue) : null;

    /// <summary>Raises this process's limit to the highest it may set itself. Shells give 1,024, for programs that use select(2); programs this one starts have the raised one.</summary>
    public static void Raise()
    {
        if (TryRead(out var own) && own.Soft < own.Hard) _ = setrlimit(Resource, own with { Soft = own.Hard }); // else it stays
    }

    internal static bool TryRead(out Limit own) => getrlimit(Resource, out own) == 0;

    internal struct Limit
    {
        public ulong Soft, Hard;
    }

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, out Limit limit);

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, in Limit limit);
}
