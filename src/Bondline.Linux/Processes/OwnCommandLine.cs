using System.Text;

namespace Bondline.Linux;

/// <summary>How this process was started.</summary>
public static class OwnCommandLine
{
    /// <summary>The last arguments as they are: bytes, which .NET's strings cannot hold if they are not UTF-8.</summary>
    /// <param name="arguments">The same ones as .NET read them, for where there is no /proc.</param>
    public static IReadOnlyList<byte[]> Last(IReadOnlyList<string> arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        byte[][] decoded = [.. arguments.Select(Encoding.UTF8.GetBytes)];
        try
        {
            var all = Split(File.ReadAllBytes("/proc/self/cmdline"));
            var raw = all.TakeLast(arguments.Count).ToArray();
            return raw.Length == decoded.Length && raw.Zip(arguments).All(pair => Encoding.UTF8.GetString(pair.First) == pair.Second) ? raw : decoded;
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return decoded;
        }
    }

    /// <summary>What starts this program again, up to its own arguments: the program, or the .NET host and the program.</summary>
    public static IReadOnlyList<string> Program
    {
        get
        {
            var process = Environment.ProcessPath ?? throw new InvalidOperationException("This process has no path.");
            return Path.GetFileNameWithoutExtension(process) == "dotnet" ? [process, Path.GetFullPath(Environment.GetCommandLineArgs()[0])] : [process];
        }
    }

    /// <summary>Splits /proc/PID/cmdline: each argument ends with a zero byte.</summary>
    public static IReadOnlyList<byte[]> Split(ReadOnlySpan<byte> commandLine)
    {
        var arguments = new List<byte[]>();
        while (commandLine.IndexOf((byte)0) is >= 0 and var end)
        {
            arguments.Add(commandLine[..end].ToArray());
            commandLine = commandLine[(end + 1)..];
        }
        return arguments;
    }
}
