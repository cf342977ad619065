using System.Text;

namespace Bondline.Agent;

/// <summary>An agent instance's id, in a file that is locked while its process lives: whoever can lock it is the same instance started again.</summary>
/// <remarks>The lock is the operating system's (<c>flock</c>), so it ends with the process however that ends.</remarks>
public sealed class InstanceLock : IDisposable
{
    private readonly FileStream _file;

    private InstanceLock(FileStream file, Guid id) => (_file, Id) = (file, id);

    public Guid Id { get; }

    public void Dispose() => _file.Dispose();

    /// <returns>Null if another process holds the lock.</returns>
    internal static InstanceLock? TryTake(string path)
    {
        FileStream file;
        try
        {
            file = new FileStream(path, AgentSettings.OwnerOnly(FileMode.OpenOrCreate));
        }
        catch (IOException) when (File.Exists(path)) // locked; a folder that cannot be used fails otherwise
        {
            return null;
        }
        return new(file, ReadOrMake(file));
    }

    private static Guid ReadOrMake(FileStream file)
    {
        Span<byte> text = stackalloc byte[36];
        if (file.Length == text.Length && file.ReadAtLeast(text, text.Length, throwOnEndOfStream: false) == text.Length
            && Guid.TryParseExact(Encoding.ASCII.GetString(text), "D", out var id)) return id;
        id = Guid.NewGuid();
        file.SetLength(0);
        file.Write(Encoding.ASCII.GetBytes(id.ToString("D")));
        file.Flush(flushToDisk: true); // after a power cut it is the same instance too
        return id;
    }
}
