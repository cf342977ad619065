using System.Text.Json;

namespace Bondline.Agent;

/// <summary>A network's <see cref="TrafficRecord"/> on disk; every agent of this user adds what it carried.</summary>
/// <remarks>Each write replaces the file as a whole, so a crash leaves the old one or the new one. Members throw <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/> if the folder cannot be used.</remarks>
internal sealed class TrafficFile(AgentSettings settings, string path)
{
    /// <summary>Far more than a record takes.</summary>
    private const int MaxLength = 4096;

    /// <summary>The last file that was read was none of ours; it counted as empty.</summary>
    public bool WasCorrupt { get; private set; }

    public string File => Path.Combine(settings.EnsureFolder("traffic"), AgentSettings.FileName(path));

    /// <returns>Null if there is none, or none that can be read.</returns>
    public TrafficRecord? Read()
    {
        WasCorrupt = false;
        try
        {
            using var file = System.IO.File.OpenRead(File);
            var bytes = new byte[MaxLength];
            var record = JsonSerializer.Deserialize(bytes.AsSpan(0, file.ReadAtLeast(bytes, MaxLength, throwOnEndOfStream: false)), TrafficJson.Default.TrafficRecord);
            if (record is { DayBytes: >= 0, MonthBytes: >= 0 }) return record;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (JsonException)
        {
            // As below.
        }
        WasCorrupt = true;
        return null;
    }

    /// <summary>Adds to what is there.</summary>
    /// <returns>What is there now; null while another process writes, and then nothing was added.</returns>
    public TrafficRecord? TryAdd(long bytes, DateOnly today)
    {
        using var held = TryLock();
        if (held is null) return null;
        var record = (Read() ?? new(today, 0, 0)).Add(bytes, today);
        settings.Replace(File, JsonSerializer.Serialize(record, TrafficJson.Default.TrafficRecord));
        return record;
    }

    private FileStream? TryLock()
    {
        var file = $"{File}.lock";
        try
        {
            return new(file, AgentSettings.OwnerOnly(FileMode.OpenOrCreate));
        }
        catch (IOException) when (System.IO.File.Exists(file)) // locked; a folder that cannot be used fails otherwise
        {
            return null;
        }
    }
}
