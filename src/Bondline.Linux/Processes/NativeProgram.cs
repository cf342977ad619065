using System.Runtime.InteropServices;
using System.Text;

namespace Bondline.Linux;

/// <summary>Starts programs as a shell would: with every descriptor that is meant to be inherited, in this process group, with this environment and these ignored signals.</summary>
/// <remarks>.NET's own Process gives them pipes or its own idea of standard input, and moves signals about.</remarks>
public static unsafe partial class NativeProgram
{
    private const int SetSignalDefaults = 4, SetSignalMask = 8; // POSIX_SPAWN_SETSIGDEF, POSIX_SPAWN_SETSIGMASK
    private const int AttributesLength = 1024, ActionsLength = 512, SignalSetLength = 128; // more than any C library takes
    private const int BrokenPipe = 13; // SIGPIPE
    private const int NotExecutable = 8; // ENOEXEC
    private const int ReadWrite = 2;

    private static byte** Environment => *(byte***)NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "environ");

    /// <summary>Starts a program as a child.</summary>
    /// <param name="path">Its file.</param>
    /// <param name="arguments">The first is its own name.</param>
    /// <param name="ignoresBrokenPipe">SIGPIPE is ignored there, as .NET has it here, and not as usual.</param>
    /// <param name="blocked">The signals it starts with as blocked, as <see cref="SignalRelay.Blocked"/> gives them.</param>
    /// <param name="process">The child's id; to be waited for by <see cref="ChildProcess"/>.</param>
    /// <returns>0, or errno.</returns>
    public static int TryStart(byte[] path, IReadOnlyList<byte[]> arguments, bool ignoresBrokenPipe, ReadOnlySpan<byte> blocked, out int process)
    {
        var error = TrySpawn(path, arguments, ignoresBrokenPipe, blocked, out process);
        return error == NotExecutable ? TrySpawn(Shell, InShell(path, arguments), ignoresBrokenPipe, blocked, out process) : error;
    }

    /// <summary>Starts a program that has nothing of this process's but some descriptors, under the same numbers: not even standard streams.</summary>
    /// <param name="command">A path and arguments.</param>
    /// <param name="descriptors">What it gets; none of the first three.</param>
    /// <param name="process">The child's id.</param>
    /// <returns>0, or errno.</returns>
    public static int TryStartApart(IReadOnlyList<string> command, IReadOnlyList<int> descriptors, out int process)
    {
        ArgumentNullException.ThrowIfNull(command);
        ArgumentNullException.ThrowIfNull(descriptors);
        byte* actions = stackalloc byte[ActionsLength];
        byte[][] arguments = [.. command.Select(Encoding.UTF8.GetBytes)];
        using var strings = new NativeStrings(arguments);
        _ = posix_spawn_file_actions_init(actions);
        try
        {
            for (var standard = 0; standard < 3; standard++) _ = posix_spawn_file_actions_addopen(actions, standard, "/dev/null", ReadWrite, 0);
            foreach (var descriptor in Inheritable())
                if (descriptor > 2 && !descriptors.Contains(descriptor)) _ = posix_spawn_file_actions_addclose(actions, descriptor);
            foreach (var descriptor in descriptors) _ = posix_spawn_file_actions_adddup2(actions, descriptor, descriptor); // which makes it inheritable there
            return posix_spawn(out process, strings.Pointers[0], actions, null, strings.Pointers, Environment);
        }
        finally
        {
            _ = posix_spawn_file_actions_destroy(actions);
        }
    }

    /// <summary>Has a program take this process's place, whichever thread calls.</summary>
    /// <returns>errno; only if that failed.</returns>
    public static int Become(byte[] path, IReadOnlyList<byte[]> arguments, bool ignoresBrokenPipe)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (!ignoresBrokenPipe) signal(BrokenPipe, 0);
        var error = TryExecute(path, arguments);
        if (error == NotExecutable) error = TryExecute(Shell, InShell(path, arguments));
        if (!ignoresBrokenPipe) signal(BrokenPipe, 1);
        return error;
    }

    private static byte[] Shell { get; } = "/bin/sh"u8.ToArray();

    // A script without #! line: exec(3) and shells give it to the shell.
    private static byte[][] InShell(byte[] path, IReadOnlyList<byte[]> arguments) => [Shell, path, .. arguments.Skip(1)];

    private static int TryExecute(byte[] path, IReadOnlyList<byte[]> arguments)
    {
        using var strings = new NativeStrings([path, .. arguments]);
        execve(strings.Pointers[0], strings.Pointers + 1, Environment);
        return Marshal.GetLastPInvokeError();
    }

    private static int TrySpawn(byte[] path, IReadOnlyList<byte[]> arguments, bool ignoresBrokenPipe, ReadOnlySpan<byte> blocked, out int process)
    {
        using var strings = new NativeStrings([path, .. arguments]);
        byte* attributes = stackalloc byte[AttributesLength];
        _ = posix_spawnattr_init(attributes);
        try
        {
            byte* signals = stackalloc byte[SignalSetLength];
            new Span<byte>(signals, SignalSetLength).Clear();
            // 32 to 34 belong to C libraries, which would have them ignored there.
            foreach (var number in ignoresBrokenPipe ? (ReadOnlySpan<int>)[32, 33, 34] : [BrokenPipe, 32, 33, 34])
                signals[(number - 1) / 8] |= (byte)(1 << ((number - 1) % 8)); // sigset_t: the first signal in the lowest bit
            _ = posix_spawnattr_setflags(attributes, (short)(blocked.IsEmpty ? SetSignalDefaults : SetSignalDefaults | SetSignalMask));
            _ = posix_spawnattr_setsigdefault(attributes, signals);
            if (!blocked.IsEmpty) _ = posix_spawnattr_setsigmask(attributes, blocked);
            return posix_spawn(out process, strings.Pointers[0], null, attributes, strings.Pointers + 1, Environment);
        }
        finally
        {
            _ = posix_spawnattr_destroy(attributes);
        }
    }

    /// <summary>The descriptors that a program started now would get.</summary>
    internal static IEnumerable<int> Inheritable()
    {
        const int GetFlags = 1, CloseOnExec = 1; // F_GETFD, FD_CLOEXEC
        return Open().Where(descriptor => fcntl(descriptor, GetFlags, 0) is >= 0 and var flags && (flags & CloseOnExec) == 0);
    }

    /// <summary>The descriptors of this process; without /proc the first ones, open or not.</summary>
    internal static IReadOnlyList<int> Open()
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries("/proc/self/fd").Select(path => int.TryParse(Path.GetFileName(path), out var number) ? number : -1)];
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return [.. Enumerable.Range(0, 256)];
        }
    }

    [LibraryImport("libc")]
    private static partial int posix_spawn(out int process, byte* path, void* actions, void* attributes, byte** arguments, byte** environment);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_destroy(void* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigdefault(void* attributes, void* signals);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigmask(void* attributes, ReadOnlySpan<byte> signals);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_destroy(void* actions);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int posix_spawn_file_actions_addopen(void* actions, int descriptor, string path, int flags, uint mode);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_addclose(void* actions, int descriptor);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_adddup2(void* actions, int descriptor, int other);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int execve(byte* path, byte** arguments, byte** environment);

    [LibraryImport("libc")]
    private static partial int fcntl(int descriptor, int command, nint argument);

    [LibraryImport("libc")]
    private static partial nint signal(int number, nint handler);
}
