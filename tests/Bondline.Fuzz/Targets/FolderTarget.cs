using System.Text;
using Bondline.Agent;

namespace Bondline.Fuzz;

/// <summary>The path of a request to a served folder: whatever it says, nothing hidden and nothing outside is found.</summary>
internal static class FolderTarget
{
    private static readonly string Root = Make();
    private static readonly ServedFiles Files = new(Path.Combine(Root, "served"));

    public static void Run(ReadOnlySpan<byte> input)
    {
        var path = Encoding.UTF8.GetString(input);
        var file = Files.GetFileInfo(path);
        if (file.Exists && file.PhysicalPath is { } physical) FuzzTarget.Require(File.ReadAllText(physical) == "seen", "visitors see what is meant for them");
        foreach (var entry in Files.GetDirectoryContents(path))
            FuzzTarget.Require(entry.Name is "index.html" or "inner" or "page" or "inside" or ".well-known", "a listing shows what is meant for visitors");
    }

    private static string Make()
    {
        var root = Directory.CreateTempSubdirectory("bondline-fuzz-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(root, recursive: true);
        var served = Directory.CreateDirectory(Path.Combine(root, "served")).FullName;
        Directory.CreateDirectory(Path.Combine(served, "inner"));
        Directory.CreateDirectory(Path.Combine(served, ".git"));
        Directory.CreateDirectory(Path.Combine(served, ".well-known"));
        foreach (var seen in (ReadOnlySpan<string>)["index.html", "inner/page", ".well-known/page"]) File.WriteAllText(Path.Combine(served, seen), "seen");
        foreach (var hidden in (ReadOnlySpan<string>)["../secret", ".env", ".git/config", "inner/.key"]) File.WriteAllText(Path.Combine(served, hidden), "hidden");
        File.CreateSymbolicLink(Path.Combine(served, "outside"), Path.Combine(root, "secret"));
        File.CreateSymbolicLink(Path.Combine(served, "up"), "..");
        File.CreateSymbolicLink(Path.Combine(served, "inside"), "inner/page");
        File.CreateSymbolicLink(Path.Combine(served, "dot"), ".git");
        File.CreateSymbolicLink(Path.Combine(served, "round"), "round");
        return root;
    }
}
