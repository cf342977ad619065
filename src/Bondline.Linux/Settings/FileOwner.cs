using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>Who may change what stands at a path.</summary>
public static partial class FileOwner
{
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const int UserOffset = 20, GroupOffset = 24, ModeOffset = 28; // struct statx
    private const uint TypeUserGroupAndMode = 0x1 | 0x2 | 0x8 | 0x10; // STATX_TYPE, STATX_MODE, STATX_UID, STATX_GID
    private const int GroupMayWrite = 0b010_000, OthersMayWrite = 0b010, IsLink = 0xA000, TypeMask = 0xF000;

    /// <summary>Finds the first part of an absolute path, from the root on, that somebody but root could replace or change.</summary>
    /// <returns>Null if only root could.</returns>
    public static string? FindPartNotOfRoot(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        for (var (end, isLast) = (0, false); !isLast;)
        {
            end = path.IndexOf('/', end + 1) is var next and >= 0 ? next : path.Length;
            isLast = end == path.Length;
            if (!IsOfRoot(path[..end])) return path[..end];
        }

        return IsOfRoot("/") ? null : "/";
    }

    private static bool IsOfRoot(string path)
    {
        var status = new byte[256];
        if (statx(CurrentDirectory, path, 0, TypeUserGroupAndMode, status) != 0) return false;
        var mode = MemoryMarshal.Read<ushort>(status.AsSpan(ModeOffset));
        return MemoryMarshal.Read<uint>(status.AsSpan(UserOffset)) == 0
            && (mode & OthersMayWrite) == 0
            && ((mode & GroupMayWrite) == 0 || MemoryMarshal.Read<uint>(status.AsSpan(GroupOffset)) == 0)
            && (mode & TypeMask) != IsLink;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, [Out] byte[] result);
}
