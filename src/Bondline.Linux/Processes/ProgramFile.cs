using System.Runtime.InteropServices;
using System.Text;

namespace Bondline.Linux;

/// <summary>What became of the search for a program.</summary>
public enum ProgramSearch
{
    Found,

    /// <summary>There is no such file; shells end with 127.</summary>
    NotFound,

    /// <summary>There is one that may not be run; shells end with 126.</summary>
    NotRunnable,
}

/// <summary>A program's file, found as exec(3) and shells do.</summary>
public static unsafe partial class ProgramFile
{
    private const int CurrentFolder = -100, MayRun = 1, ByEffectiveUser = 0x200; // AT_FDCWD, X_OK, AT_EACCESS
    private const uint TypeField = 1, ModeField = 2, UserField = 8, GroupField = 16; // STATX_*
    private const int RegularFile = 0x8000, TypeMask = 0xF000, SetUser = 0x800, SetGroup = 0x400, GroupMayRun = 0x8;

    /// <param name="name">A path if it has a slash, else looked for.</param>
    /// <param name="searchPath">Folders with colons between them ($PATH), an empty one being the current; null: as if it were not set.</param>
    /// <param name="path">The file's path if it was found.</param>
    public static ProgramSearch Find(byte[] name, string? searchPath, out byte[] path)
    {
        ArgumentNullException.ThrowIfNull(name);
        path = name;
        if (name.Length == 0) return ProgramSearch.NotFound;
        if (name.Contains((byte)'/')) return Look(name);
        var result = ProgramSearch.NotFound;
        foreach (var folder in (searchPath ?? "/bin:/usr/bin").Split(':'))
        {
            byte[] candidate = folder.Length == 0 ? name : [.. Encoding.UTF8.GetBytes(folder), (byte)'/', .. name];
            switch (Look(candidate))
            {
                case ProgramSearch.Found:
                    path = candidate;
                    return ProgramSearch.Found;
                case ProgramSearch.NotRunnable:
                    result = ProgramSearch.NotRunnable; // another folder may have one that can be run
                    break;
            }
        }
        return result;
    }

    /// <summary>Whoever runs the file as the present user gets rights by it: of its owner, of its group, or capabilities.</summary>
    /// <remarks>A snap's command is a link to <c>snap</c>, which has none itself, but does nothing without a helper that has.</remarks>
    public static bool GivesRights(byte[] path)
    {
        if (geteuid() != 0 && IsSnap(path)) return true;
        fixed (byte* first = Terminated(path))
        {
            Span<byte> found = stackalloc byte[256];
            if (!TryStat(first, found)) return false;
            var mode = MemoryMarshal.Read<ushort>(found[28..]);
            var (owner, group) = (MemoryMarshal.Read<uint>(found[20..]), MemoryMarshal.Read<uint>(found[24..]));
            return (mode & SetUser) != 0 && owner != geteuid()
                || (mode & SetGroup) != 0 && (mode & GroupMayRun) != 0 && group != getegid()
                || geteuid() != 0 && getxattr(first, "security.capability", null, 0) > 0;
        }
    }

    private static bool IsSnap(byte[] path)
    {
        try
        {
            return File.ResolveLinkTarget(Encoding.UTF8.GetString(path), returnFinalTarget: true)?.FullName == "/usr/bin/snap";
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return false;
        }
    }

    private static ProgramSearch Look(byte[] path)
    {
        fixed (byte* first = Terminated(path))
        {
            Span<byte> found = stackalloc byte[256];
            if (!TryStat(first, found)) return ProgramSearch.NotFound;
            return (MemoryMarshal.Read<ushort>(found[28..]) & TypeMask) == RegularFile && faccessat(CurrentFolder, first, MayRun, ByEffectiveUser) == 0
                ? ProgramSearch.Found : ProgramSearch.NotRunnable;
        }
    }

    private static bool TryStat(byte* path, Span<byte> found) => statx(CurrentFolder, path, 0, TypeField | ModeField | UserField | GroupField, found) == 0;

    private static byte[] Terminated(byte[] path) => [.. path, 0];

    [LibraryImport("libc")]
    private static partial int statx(int directory, byte* path, int flags, uint mask, Span<byte> result);

    [LibraryImport("libc")]
    private static partial int faccessat(int directory, byte* path, int mode, int flags);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint getxattr(byte* path, string name, void* value, nuint size);

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc")]
    private static partial uint getegid();
}
