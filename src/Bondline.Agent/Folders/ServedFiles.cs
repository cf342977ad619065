using System.Collections;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Primitives;

namespace Bondline.Agent;

/// <summary>What visitors may see of a folder: its files and folders, but nothing whose name begins with a dot, and nothing that lies elsewhere, whatever links say.</summary>
/// <param name="root">The folder.</param>
internal sealed class ServedFiles(string root) : IFileProvider
{
    /// <summary>Entries of a listing; more are left out.</summary>
    public const int MaxListed = 1000;

    private const int MaxLinks = 40; // as the kernel follows

    /// <summary>Starts with a dot and is meant to be seen (RFC 8615).</summary>
    private const string WellKnown = ".well-known";

    /// <param name="subpath">A request's path, percent-encoding undone.</param>
    public IFileInfo GetFileInfo(string subpath)
    {
        if (Find(subpath) is not { } path) return new NotFoundFileInfo(subpath);
        return (IFileInfo?)Describe(new FileInfo(path)) ?? new NotFoundFileInfo(subpath);
    }

    /// <inheritdoc cref="GetFileInfo"/>
    public IDirectoryContents GetDirectoryContents(string subpath) =>
        Find(subpath) is { } path && Directory.Exists(path) ? new Listing(this, subpath, path) : NotFoundDirectoryContents.Singleton;

    public IChangeToken Watch(string filter) => NullChangeToken.Singleton;

    /// <returns>Where it really is, all links followed; null if visitors may not see it.</returns>
    private string? Find(string subpath)
    {
        if (subpath.AsSpan().ContainsAny('\0', '\\')) return null;
        var names = subpath.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (names.Any(IsHidden) || Resolve(root) is not { } real || Resolve(Path.Combine([real, .. names])) is not { } path) return null;
        if (path == real) return path;
        var inside = Path.EndsInDirectorySeparator(real) ? real : real + Path.DirectorySeparatorChar;
        return path.StartsWith(inside, StringComparison.Ordinal) && !path[inside.Length..].Split(Path.DirectorySeparatorChar).Any(IsHidden) ? path : null;
    }

    /// <returns>Null if it is not there: it is gone just now, or its name is no UTF-8 and nobody can ask for it.</returns>
    private static ServedFile? Describe(FileSystemInfo entry)
    {
        try
        {
            return entry.Exists ? new ServedFile(entry) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool IsHidden(string name) => name.StartsWith('.') && name != WellKnown;

    private static string? Resolve(string path)
    {
        var done = Path.GetPathRoot(path)!;
        var rest = new Stack<string>();
        Push(path);
        for (var links = 0; rest.TryPop(out var name);)
        {
            if (name == "..")
            {
                done = Path.GetDirectoryName(done) ?? done;
                continue;
            }
            var next = Path.Combine(done, name);
            if (LinkTarget(next) is not { } target)
            {
                done = next;
                continue;
            }
            if (++links > MaxLinks) return null;
            if (Path.IsPathRooted(target)) done = Path.GetPathRoot(target)!;
            Push(target);
        }
        return done;

        void Push(string names)
        {
            foreach (var name in names[Path.GetPathRoot(names)!.Length..].Split(Path.DirectorySeparatorChar).Reverse())
                if (name is not ("" or ".")) rest.Push(name);
        }
    }

    private static string? LinkTarget(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) // a name too long, a folder closed to us: opening it fails too
        {
            return null;
        }
    }

    private sealed class Listing(ServedFiles files, string subpath, string path) : IDirectoryContents
    {
        public bool Exists => true;

        public IEnumerator<IFileInfo> GetEnumerator() =>
            new DirectoryInfo(path).EnumerateFileSystemInfos("*", new EnumerationOptions { IgnoreInaccessible = true, AttributesToSkip = 0 })
                .Where(entry => files.Find($"{subpath}/{entry.Name}") is not null)
                .Select(Describe)
                .OfType<IFileInfo>()
                .Take(MaxListed)
                .GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>What has no length is not opened: it is empty, or a pipe or device, where opening waits.</summary>
    private sealed class ServedFile(FileSystemInfo entry) : IFileInfo
    {
        public bool Exists => true;

        public bool IsDirectory => entry is DirectoryInfo;

        public long Length { get; } = entry is FileInfo file ? file.Length : -1;

        public string? PhysicalPath => Length > 0 ? entry.FullName : null;

        public string Name => entry.Name;

        public DateTimeOffset LastModified => entry.LastWriteTimeUtc;

        public Stream CreateReadStream() => Length > 0 ? new FileStream(entry.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1, FileOptions.Asynchronous | FileOptions.SequentialScan) : Stream.Null;
    }
}
