namespace Bondline.Cli;

/// <summary>The pages of docs/errors, which are part of the program: <c>bondline help CODE</c>.</summary>
internal static class ErrorPages
{
    private const string Prefix = "errors/", Index = "README";

    /// <summary>The page of an error code; <c>exit-codes</c> is the table of all; null if there is none.</summary>
    public static string? Find(string topic)
    {
        var name = topic == "exit-codes" ? Index : topic;
        if (topic == Index) return null;
        using var stream = typeof(ErrorPages).Assembly.GetManifestResourceStream(Prefix + name);
        if (stream is null) return null;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    public static IEnumerable<string> Topics =>
        typeof(ErrorPages).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name != Prefix + Index)
            .Select(name => name[Prefix.Length..])
            .Order(StringComparer.Ordinal);
}
