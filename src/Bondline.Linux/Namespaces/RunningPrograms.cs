namespace Bondline.Linux;

/// <summary>Finds running programs by their name, in the network namespace of this process.</summary>
/// <param name="folder">/proc; another one for tests.</param>
public sealed class RunningPrograms(string folder = "/proc")
{
    /// <summary>Whether a program of that name runs here. Which namespace another user's process is in needs a right to see; without it, it counts.</summary>
    public bool Exists(string name)
    {
        var own = NamespaceOf("self");
        try
        {
            return Directory.EnumerateDirectories(folder)
                .Select(Path.GetFileName)
                .OfType<string>()
                .Where(process => process.All(char.IsAsciiDigit) && NameOf(process) == name)
                .Any(process => NamespaceOf(process) is not { } other || other == own);
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return false; // no /proc
        }
    }

    /// <summary>This process is in the network namespace of the first process: the machine's own, or the container's.</summary>
    /// <returns>True too if that cannot be seen.</returns>
    public bool IsInFirstNamespace => NamespaceOf("1") is not { } first || first == NamespaceOf("self");

    private string? NameOf(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, process, "comm")).TrimEnd('\n');
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private string? NamespaceOf(string process)
    {
        try
        {
            return new FileInfo(Path.Combine(folder, process, "ns", "net")).LinkTarget;
        }
        catch (Exception hidden) when (hidden is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
