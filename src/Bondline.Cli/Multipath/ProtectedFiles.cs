using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;

namespace Bondline.Cli.Multipath;

/// <summary>Files of root's that this program makes and takes away again; everybody may read them.</summary>
/// <param name="root">Before every path; for tests.</param>
[SupportedOSPlatform("linux")]
internal sealed class ProtectedFiles(string root)
{
    private const UnixFileMode FolderMode = FileMode | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private const int WouldBlock = 11, Exists = 17; // EWOULDBLOCK, which .NET keeps as HResult

    private static readonly TimeSpan LockInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>For how long a lock is waited for: a command holds it for milliseconds, one that waits for systemd for seconds.</summary>
    public TimeSpan LockPatience { get; init; } = TimeSpan.FromSeconds(30);

    /// <returns>Null if it is not there.</returns>
    public string? Read(string path)
    {
        try
        {
            return File.ReadAllText(root + path);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception hidden) when (hidden is IOException or UnauthorizedAccessException)
        {
            throw new CommandException("right-missing", $"{path} cannot be read: {hidden.Message.TrimEnd('.')}", "Run it with sudo");
        }
    }

    public void Write(string path, string text) => Guard(path, () =>
    {
        var file = root + path;
        MakeFolder(Path.GetDirectoryName(file)!);
        var part = file + ".new";
        using (var stream = new FileStream(part, new FileStreamOptions { Mode = System.IO.FileMode.Create, Access = FileAccess.Write, UnixCreateMode = FileMode }))
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }

        File.Move(part, file, overwrite: true);
    });

    public void Delete(string path) => Guard(path, () =>
    {
        var file = root + path;
        if (!File.Exists(file)) return;
        File.Delete(file);
        if (Path.GetDirectoryName(path) is not (MultipathFiles.RunFolder or MultipathFiles.StateFolder)) return;
        RemoveFolderIfEmpty(Path.GetDirectoryName(file)!);
    });

    /// <summary>Waits until nobody else holds the lock. Its file goes with it.</summary>
    /// <returns>Null if somebody held it for longer than <see cref="LockPatience"/>.</returns>
    public IDisposable? TryLock(string path, CancellationToken stop)
    {
        var waiting = Stopwatch.StartNew();
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            if (TakeLock(path) is { } taken) return taken;
            if (waiting.Elapsed > LockPatience) return null;
            Thread.Sleep(LockInterval);
        }
    }

    /// <summary>Calls <paramref name="gone"/> when a file is deleted, or if it is not there, until it is disposed.</summary>
    /// <remarks>Where the user's watches are used up (fs.inotify.max_user_instances) nobody tells of what is deleted later: whoever follows must look now and then.</remarks>
    public IDisposable Watch(string path, Action gone)
    {
        var file = root + path;
        var watcher = new FileSystemWatcher { Filter = Path.GetFileName(path), NotifyFilter = NotifyFilters.FileName };
        watcher.Deleted += (_, _) => gone();
        watcher.Error += (_, _) => CallIfGone();
        try
        {
            watcher.Path = Path.GetDirectoryName(file)!;
            watcher.EnableRaisingEvents = true;
        }
        catch (Exception none) when (none is ArgumentException or IOException or UnauthorizedAccessException)
        {
            // Its folder is gone, or there is no watch to be had.
        }

        CallIfGone();
        return watcher;

        void CallIfGone()
        {
            if (!File.Exists(file)) gone();
        }
    }

    private Held? TakeLock(string path)
    {
        var file = root + path;
        FileStream? stream = null;
        Guard(path, () =>
        {
            try
            {
                MakeFolder(Path.GetDirectoryName(file)!);
                stream = new(file, System.IO.FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException held) when (held is DirectoryNotFoundException or FileNotFoundException || held.HResult is WouldBlock or Exists)
            {
                // Somebody else's, or just given back together with its folder, or that was made and removed while we made it.
            }
        });
        if (stream is null) return null;
        // Whoever had it may have deleted the file between our opening and locking it: then this is no lock.
        if (new FileInfo($"/proc/self/fd/{stream.SafeFileHandle.DangerousGetHandle()}").LinkTarget is { } now && !now.EndsWith(" (deleted)", StringComparison.Ordinal))
            return new(stream, file);
        stream.Dispose();
        return null;
    }

    private static void MakeFolder(string folder)
    {
        if (!Directory.Exists(folder)) Directory.CreateDirectory(folder, FolderMode);
    }

    private static void RemoveFolderIfEmpty(string folder)
    {
        try
        {
            Directory.Delete(folder);
        }
        catch (IOException)
        {
            // Something else is in it.
        }
    }

    private static void Guard(string path, Action work)
    {
        try
        {
            work();
        }
        catch (UnauthorizedAccessException)
        {
            throw new CommandException("right-missing", $"{path} cannot be written by this user", "Run it with sudo");
        }
        catch (IOException error)
        {
            throw new CommandException("data-unusable", $"{path} cannot be written: {error.Message.TrimEnd('.')}");
        }
    }

    private sealed class Held(FileStream stream, string file) : IDisposable
    {
        public void Dispose()
        {
            File.Delete(file); // before it is free: nobody has it yet
            stream.Dispose();
            RemoveFolderIfEmpty(Path.GetDirectoryName(file)!);
        }
    }
}
