using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>What .NET changed in this process as it started, for programs that must not notice; and what it must let go for them.</summary>
public static partial class InheritedState
{
    /// <summary>SIGPIPE was probably ignored when this process started: .NET ignores it from then on, and does not say what was before.</summary>
    /// <value>True where systemd started this process as a service: it has it ignored, unless <c>IgnoreSIGPIPE=no</c>. Shells and most others do not.</value>
    public static bool IgnoredBrokenPipe =>
        Environment.GetEnvironmentVariable("SYSTEMD_EXEC_PID") == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);

    /// <summary>Gives the soft limit of open files back that .NET with its compiler at run time raises as it starts; native code leaves it alone.</summary>
    public static void RestoreLimits()
    {
        if (!RuntimeFeature.IsDynamicCodeSupported || !OpenFiles.TryRead(out var own) || own.Soft != own.Hard) return;
        // It is lost; whoever started us most likely has the same.
        if (getppid() is > 0 and var parent && prlimit(parent, OpenFiles.Resource, 0, out var theirs) == 0 && theirs.Hard == own.Hard) setrlimit(OpenFiles.Resource, in theirs);
    }

    /// <summary>Closes what a program that has been started inherited as well, but for standard error: so its closing an end is the end.</summary>
    public static void LetGo()
    {
        int[] inherited = [.. NativeProgram.Inheritable().Where(descriptor => descriptor != 2)];
        // .NET with its compiler at run time keeps copies of standard streams. Only pipes and sockets have another end that waits for them all to go.
        var ends = inherited.Select(Target).OfType<string>().Where(target => target.StartsWith("pipe:", StringComparison.Ordinal) || target.StartsWith("socket:", StringComparison.Ordinal)).ToHashSet();
        foreach (var descriptor in NativeProgram.Open().Where(descriptor => descriptor != 2 && ends.Contains(Target(descriptor) ?? "")).ToArray()) Replace(descriptor);
        foreach (var descriptor in inherited)
        {
            if (descriptor < 2) Replace(descriptor);
            else _ = close(descriptor);
        }
    }

    private static string? Target(int descriptor)
    {
        try
        {
            return new FileInfo($"/proc/self/fd/{descriptor}").LinkTarget;
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return null; // no /proc, or closed meanwhile
        }
    }

    private static void Replace(int descriptor)
    {
        const int ReadWrite = 2, CloseOnExec = 0x80000;
        var nothing = open("/dev/null", ReadWrite | CloseOnExec);
        if (nothing < 0) return;
        _ = dup3(nothing, descriptor, CloseOnExec);
        if (nothing != descriptor) _ = close(nothing);
    }

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, in OpenFiles.Limit limit);

    [LibraryImport("libc")]
    private static partial int prlimit(int process, int resource, nint limit, out OpenFiles.Limit old);

    [LibraryImport("libc")]
    private static partial int getppid();

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc")]
    private static partial int dup3(int from, int to, int flags);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);
}
