using System.Security.Cryptography;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>Where a relay keeps its keys, its store and its control socket; only its user may enter.</summary>
internal static class DataFolder
{
    /// <summary>What to do where the folder is closed to this user.</summary>
    public const string AsOwner = "Run this as the relay's own user, such as with sudo, or name the relay's folder with --data DIR";

    public static string Default
    {
        get
        {
            if (OperatingSystem.IsWindows()) return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "bondline");
            if (Environment.IsPrivilegedProcess) return "/var/lib/bondline";
            var state = Environment.GetEnvironmentVariable("XDG_STATE_HOME");
            if (string.IsNullOrEmpty(state) || !Path.IsPathRooted(state)) // relative values are to be ignored, says the XDG specification
                state = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state");
            return Path.Combine(state, "bondline");
        }
    }

    /// <summary>The full path of a data folder, whether it is there or not.</summary>
    /// <param name="folder">Null for the default one.</param>
    public static string PathOf(string? folder) => Path.GetFullPath(folder ?? Default);

    /// <summary>Makes the folder if it is not there and returns its full path.</summary>
    /// <exception cref="RelayException">It cannot be made or written.</exception>
    public static string Open(string? folder)
    {
        var path = PathOf(folder);
        try
        {
            if (!Directory.Exists(path)) CreateOwnerOnly(path);
            var probe = Path.Combine(path, $".probe-{Environment.ProcessId}");
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
            return path;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new RelayException("data-unusable", $"the data folder {path} cannot be used: {error.Message.TrimEnd('.')}", "Name another with --data DIR, or run as a user that may write it");
        }
    }

    /// <summary>The full path of a file of the folder, for whoever is to make neither.</summary>
    /// <exception cref="RelayException">It is not there, or may not be read.</exception>
    public static string Find(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        try
        {
            using (File.OpenHandle(path)) return path;
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new RelayException("data-unusable", Directory.Exists(folder) ? $"no relay has been started with the data folder {folder}: it has no {file}" : $"there is no data folder {folder}", "Name the relay's with --data DIR");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new RelayException("data-unusable", $"the data folder {folder} cannot be used: {error.Message.TrimEnd('.')}", AsOwner);
        }
    }

    /// <summary>Claims the folder for one running relay, until the result is disposed.</summary>
    /// <exception cref="RelayException">Another relay has it.</exception>
    public static FileStream Lock(string folder)
    {
        var path = Path.Combine(folder, "relay.lock");
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new RelayException("data-unusable", $"another relay is using the data folder {folder}", "Stop it, or give this one a folder of its own with --data DIR");
        }
    }

    /// <summary>Makes a file that only its owner may read and write.</summary>
    /// <exception cref="IOException">It is there already, or cannot be made.</exception>
    public static FileStream CreateOwnerOnlyFile(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite; // there, a user's folders are the user's own
        return new FileStream(path, options);
    }

    /// <summary>Makes a file of the folder that only its owner may read, whole and on disk; if another process was first, its file counts.</summary>
    public static void WriteOnce(string path, string content)
    {
        var fresh = $"{path}.{Environment.ProcessId}-{RandomNumberGenerator.GetHexString(8)}";
        using (var file = CreateOwnerOnlyFile(fresh))
        using (var writer = new StreamWriter(file))
        {
            writer.Write(content);
            writer.Flush();
            file.Flush(flushToDisk: true);
        }
        SharedFile.TryPublish(fresh, path);
    }

    /// <summary>Lets only the owner of a file read and write it.</summary>
    public static void RestrictToOwner(string path)
    {
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private static void CreateOwnerOnly(string path)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
