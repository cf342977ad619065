using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Unicode;

namespace Bondline.Linux;

/// <summary>What a socket takes over from the thread that makes it, as /proc tells it of any thread. Not thread safe.</summary>
/// <remarks>
/// Its network namespace; user and group for file access, by which routing rules and firewalls know sockets; the control group, by which firewalls,
/// BPF programs and the memory limit know them; and with SELinux and Smack the label. AppArmor looks at whoever uses a socket, not at who made it.
/// </remarks>
public sealed unsafe partial class CallerContext
{
    private const int ReadOnly = 0, CloseOnExec = 0x80000, Interrupted = 4;
    private const int CurrentFolder = -100; // AT_FDCWD
    private const uint InodeField = 0x100; // STATX_INO
    private const int StatusLength = 1024; // both lines are among the first

    private readonly byte[] _controlGroup = new byte[4096], _label = new byte[1024];
    private int _controlGroupLength, _labelLength;
    private (ulong Inode, uint Major, uint Minor) _network;

    /// <summary>The user for file access; the calling program's own unless it has changed.</summary>
    public uint User { get; private set; }

    /// <summary>The group for file access.</summary>
    public uint Group { get; private set; }

    /// <summary>Reads a thread's.</summary>
    /// <param name="threadId">Of any process; the thread must wait meanwhile, or it may change.</param>
    /// <param name="withLabel">Also the label.</param>
    /// <returns>False if some of it cannot be seen.</returns>
    public bool TryRead(int threadId, bool withLabel)
    {
        Span<byte> status = stackalloc byte[StatusLength];
        if (threadId <= 0 || !TryReadFileIds(status[..Read(threadId, "status"u8, status)], out var user, out var group)) return false;
        (User, Group) = (user, group);
        ReadControlGroup(threadId);
        _labelLength = withLabel ? Read(threadId, "attr/current"u8, _label) : 0;
        // More than fits could differ behind what was read. No control groups at all is empty, for everybody.
        return _controlGroupLength < _controlGroup.Length && _labelLength < _label.Length && TryReadNetwork(threadId);
    }

    /// <summary>Reads only what others can change of a thread.</summary>
    public void ReadControlGroup(int threadId) => _controlGroupLength = Read(threadId, "cgroup"u8, _controlGroup);

    public bool IsInNetworkOf(CallerContext other) => _network == other?._network;

    public bool IsInControlGroupOf(CallerContext other) => ControlGroup.SequenceEqual(other is null ? [] : other.ControlGroup);

    public bool HasLabelOf(CallerContext other) => Label.SequenceEqual(other is null ? [] : other.Label);

    /// <summary>There is a /proc, and it numbers processes as the kernel numbers them for this one (a process namespace may have been given none of its own).</summary>
    public static bool CanBeRead
    {
        get
        {
            try
            {
                return new FileInfo("/proc/self").LinkTarget == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
            }
            catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
            {
                return false;
            }
        }
    }

    /// <summary>A security module labels sockets with the label of their maker, and uses of one with another label may be refused.</summary>
    public static bool LabelsMatter
    {
        get
        {
            Span<byte> label = stackalloc byte[1024];
            var own = label[..Read(Environment.ProcessId, "attr/current"u8, label)].TrimEnd("\n\0"u8);
            // AppArmor's: "unconfined", or a profile and its mode in parentheses.
            return own.Length > 0 && !own.SequenceEqual("unconfined"u8) && own[^1] != (byte)')';
        }
    }

    /// <summary>Reads user and group for file access, the last of four, from /proc/PID/status.</summary>
    /// <returns>False if a line is missing or is not as proc(5) has it.</returns>
    public static bool TryReadFileIds(ReadOnlySpan<byte> status, out uint user, out uint group)
    {
        group = 0;
        return TryReadFourth(status, "\nUid:\t"u8, out user) && TryReadFourth(status, "\nGid:\t"u8, out group);
    }

    /// <summary>The path of a thread's network namespace.</summary>
    public static string NetworkPath(int threadId) => $"/proc/{threadId}/ns/net";

    private ReadOnlySpan<byte> ControlGroup => _controlGroup.AsSpan(0, _controlGroupLength);

    private ReadOnlySpan<byte> Label => _label.AsSpan(0, _labelLength);

    //  Uid:\t1000\t1000\t1000\t1000\n   real, effective, saved, for file access
    private static bool TryReadFourth(ReadOnlySpan<byte> text, ReadOnlySpan<byte> start, out uint id)
    {
        id = 0;
        if (text.IndexOf(start) is not (>= 0 and var at)) return false;
        text = text[(at + start.Length)..];
        if (text.IndexOf((byte)'\n') is not (>= 0 and var end)) return false;
        text = text[..end];
        for (var i = 0; i < 3; i++)
        {
            if (text.IndexOf((byte)'\t') is not (>= 0 and var tab)) return false;
            text = text[(tab + 1)..];
        }
        return Utf8Parser.TryParse(text, out id, out var length) && length == text.Length;
    }

    private bool TryReadNetwork(int threadId)
    {
        Span<byte> path = stackalloc byte[64], found = stackalloc byte[256];
        fixed (byte* first = Write(path, threadId, "ns/net"u8))
            if (statx(CurrentFolder, first, 0, InodeField, found) != 0) return false;
        _network = (MemoryMarshal.Read<ulong>(found[32..]), MemoryMarshal.Read<uint>(found[136..]), MemoryMarshal.Read<uint>(found[140..]));
        return true;
    }

    private static int Read(int threadId, ReadOnlySpan<byte> file, Span<byte> buffer)
    {
        Span<byte> path = stackalloc byte[64];
        int descriptor;
        fixed (byte* first = Write(path, threadId, file)) descriptor = open(first, ReadOnly | CloseOnExec);
        if (descriptor < 0) return 0;
        var length = 0;
        fixed (byte* first = buffer)
        {
            while (length < buffer.Length)
            {
                var count = (int)read(descriptor, first + length, (nuint)(buffer.Length - length));
                if (count < 0 && Marshal.GetLastPInvokeError() == Interrupted) continue;
                if (count <= 0) break;
                length += count;
            }
        }
        _ = close(descriptor);
        return length;
    }

    private static Span<byte> Write(Span<byte> path, int threadId, ReadOnlySpan<byte> file)
    {
        Utf8.TryWrite(path, $"/proc/{threadId}/", out var length);
        file.CopyTo(path[length..]);
        path[length + file.Length] = 0;
        return path;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int open(byte* path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int descriptor, byte* buffer, nuint count);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);

    [LibraryImport("libc")]
    private static partial int statx(int directory, byte* path, int flags, uint mask, Span<byte> result);
}
