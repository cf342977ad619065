namespace Bondline.Architecture.Tests;

/// <summary>The clone these tests were built from, as files.</summary>
internal static class Repository
{
    private static readonly string[] Generated = ["bin", "obj", "node_modules"];

    public static string Root { get; } = FindRoot(AppContext.BaseDirectory);

    /// <summary>All project files, by name without extension.</summary>
    public static IReadOnlyDictionary<string, string> Projects { get; } =
        Files(".csproj").ToDictionary(path => Path.GetFileNameWithoutExtension(path));

    /// <summary>Paths, relative to <see cref="Root"/>, of files that people wrote, with one of these endings or, without any, all.</summary>
    public static IEnumerable<string> Files(params string[] endings) =>
        from path in Walk(Root)
        where endings.Length == 0 || endings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal))
        orderby path
        select Path.GetRelativePath(Root, path);

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    // Hidden folders hold git's, the build's and editors' files, except those of the continuous integration.
    private static IEnumerable<string> Walk(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder)) yield return file;
        foreach (var child in Directory.EnumerateDirectories(folder))
        {
            var name = Path.GetFileName(child);
            if ((name[0] == '.' && name is not (".ci" or ".github")) || Generated.Contains(name)) continue;
            foreach (var file in Walk(child)) yield return file;
        }
    }

    private static string FindRoot(string start)
    {
        for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Bondline.slnx"))) return folder.FullName;
        throw new InvalidOperationException($"{start} lies in no clone of the repository (no Bondline.slnx above it).");
    }
}
