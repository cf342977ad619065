using System.Security.Cryptography;
using System.Text;
using Bondline.Transport;

namespace Bondline.Agent;

/// <summary>The folder of the agent's settings: the saved login, the names of HTTP tunnels, the ids of agent instances, what metered networks carried. Only its owner may read it.</summary>
/// <remarks>Several processes may use it at once; every write is whole or absent. Members throw <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/> if the folder cannot be used.</remarks>
public sealed class AgentSettings(string folder)
{
    private const UnixFileMode OwnerOnlyFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OwnerOnlyFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Instances of one purpose that may run at once on this machine.</summary>
    private const int MaxInstances = 1024;

    public string Folder { get; } = folder;

    private string LoginFile => Path.Combine(Folder, "login");

    /// <summary><c>$XDG_CONFIG_HOME/bondline</c>, else <c>~/.config/bondline</c>.</summary>
    public static string DefaultFolder(Func<string, string?> environment)
    {
        // The XDG specification says to ignore a relative path here.
        var root = environment("XDG_CONFIG_HOME") is { } given && Path.IsPathRooted(given)
            ? given
            : Path.Combine(environment("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify), ".config");
        return Path.Combine(root, "bondline");
    }

    /// <summary>The saved join URL as it was given; null if there is none.</summary>
    /// <exception cref="IOException">There is one and it is empty: whoever logged in does not want to be without.</exception>
    public string? ReadLogin()
    {
        try
        {
            return File.ReadAllText(LoginFile).Trim() is { Length: > 0 } login ? login : throw new IOException($"{LoginFile} is empty");
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Saves a join URL, secret and all, for its owner's eyes only.</summary>
    /// <returns>The file it is in.</returns>
    public string SaveLogin(string joinUrl)
    {
        EnsureFolder("");
        Replace(LoginFile, joinUrl);
        return LoginFile;
    }

    /// <summary>The name of the HTTP tunnel to a local port: two words, made once per machine and port and kept.</summary>
    /// <param name="local">What the tunnel leads to, as <c>3000</c> or <c>host:3000</c>.</param>
    public string TunnelName(string local)
    {
        var names = EnsureFolder("names");
        var file = Path.Combine(names, FileName(local));
        for (var attempt = 0; ; attempt++)
        {
            if (File.Exists(file) && File.ReadAllText(file).Trim() is { Length: > 0 } kept) return kept;
            var temporary = WriteTemporary(names, TwoWords.Next() + "\n");
            if (attempt == 0) SharedFile.TryPublish(temporary, file); // where another process was first, its name counts
            else File.Move(temporary, file, overwrite: true); // a file that is empty
        }
    }

    /// <summary>Takes the first instance id of <paramref name="purpose"/> that no living process holds, and holds it until disposed or the process ends.</summary>
    /// <param name="purpose">What the process is started for (its relay and targets): starting the same again is the same instance, whatever else runs.</param>
    public InstanceLock LockInstance(string purpose)
    {
        var instances = EnsureFolder("instances");
        for (var number = 1; number <= MaxInstances; number++)
            if (InstanceLock.TryTake(Path.Combine(instances, $"{FileName(purpose)}-{number}")) is { } taken) return taken;
        throw new IOException($"{MaxInstances} instances of the same tunnels are running.");
    }

    internal static FileStreamOptions OwnerOnly(FileMode mode)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnlyFile; // a user's folder is the user's on Windows
        return options;
    }

    /// <summary>Writes a file of one line; whoever reads it sees the old one or the new one.</summary>
    internal void Replace(string file, string line) => File.Move(WriteTemporary(Path.GetDirectoryName(file)!, line + "\n"), file, overwrite: true);

    internal string EnsureFolder(string name)
    {
        Create(Folder);
        return name.Length == 0 ? Folder : Create(Path.Combine(Folder, name));
    }

    private static string Create(string path) =>
        (OperatingSystem.IsWindows() ? Directory.CreateDirectory(path) : Directory.CreateDirectory(path, OwnerOnlyFolder)).FullName;

    private static string WriteTemporary(string folder, string text)
    {
        var file = Path.Combine(folder, $".{Guid.NewGuid():n}");
        try
        {
            using var stream = new FileStream(file, OwnerOnly(FileMode.CreateNew));
            stream.Write(Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true); // or a crash may leave an empty file under its new name
            return file;
        }
        catch (IOException)
        {
            File.Delete(file); // on a full disk it would be tried again, and each left here
            throw;
        }
    }

    /// <summary>A file name that differs for different keys and that a person recognises where the key allows it.</summary>
    internal static string FileName(string key) =>
        key.Length <= 64 && key.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c)) ? key : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..32];
}
