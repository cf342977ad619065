namespace Bondline.Fuzz;

/// <summary>The inputs in the repository: seeds, and what fuzzing found that reaches further.</summary>
internal static class Corpus
{
    private static string Root => Path.Combine(AppContext.BaseDirectory, "corpus");

    public static IReadOnlyList<string> Files(string target) => [.. Directory.EnumerateFiles(Path.Combine(Root, target)).Order(StringComparer.Ordinal)];

    /// <summary>Of all targets together.</summary>
    public static long Length => Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
}
