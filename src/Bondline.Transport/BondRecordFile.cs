using System.Buffers;
using System.Globalization;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>A bond record on disk, for its user alone. A thread of its own writes it: whatever the disk does, no bond waits for it (docs/record.md).</summary>
/// <remarks>Thread-safe. Recording ends by itself when the disk fails or cannot keep up, or the file is long enough; the bonds go on.</remarks>
public sealed class BondRecordFile : IBondRecord, IDisposable
{
    /// <summary>Lines that wait for the disk; beyond, it cannot keep up.</summary>
    private const int MaxWaitingBytes = 32 << 20;

    // What a disk has not taken by then is lost with the process.
    private static readonly TimeSpan LastWrites = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Stream _file;
    private readonly string _path;
    private readonly Action<string> _ended;
    private readonly Thread _writer;
    private readonly long _maxBytes;

    // Under the gate.
    private ArrayBufferWriter<byte> _waiting = new(64 << 10);
    private long _length;
    private int _bonds;
    private bool _isOver;

    private BondRecordFile(Stream file, string path, bool hasPayload, Action<string> ended, long maxBytes)
    {
        (_file, _path, _ended, _maxBytes, HasPayload) = (file, path, ended, maxBytes, hasPayload);
        _writer = new(Write) { IsBackground = true, Name = "bond record" };
    }

    public bool HasPayload { get; }

    /// <summary>Begins a record. A regular file of that name is kept as <c>PATH.1</c>, in place of one before it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="program">Who writes it, with its version.</param>
    /// <param name="hasPayload">Also what the streams carry: everything visitors send and get.</param>
    /// <param name="ended">Told once, on any thread, if recording ends early, and why: a sentence without its full stop.</param>
    /// <param name="maxBytes">It ends before it is longer.</param>
    /// <exception cref="IOException">The file cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">The file cannot be made.</exception>
    public static BondRecordFile Create(string path, string program, bool hasPayload, Action<string> ended, long maxBytes = 1L << 30)
    {
        if (new FileInfo(path) is { Exists: true, Length: > 0 }) File.Move(path, $"{path}.1", overwrite: true);
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.Read, BufferSize = 0 };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var record = new BondRecordFile(new FileStream(path, options), path, hasPayload, ended, maxBytes);
        record.Append(RecordedBond.Header(program, DateTimeOffset.UtcNow.ToString("u", CultureInfo.InvariantCulture), hasPayload));
        record._writer.Start();
        return record;
    }

    public int NextBond() => Interlocked.Increment(ref _bonds);

    public void Append(ReadOnlySpan<byte> line)
    {
        lock (_gate)
        {
            if (_isOver) return;
            if (_length + line.Length > _maxBytes) Stop($"{_path} is as long as a record gets, {_maxBytes >> 20} MiB");
            else if (_waiting.WrittenCount + line.Length > MaxWaitingBytes) Stop($"the disk of {_path} is too slow");
            if (_isOver) return;
            _length += line.Length;
            _waiting.Write(line);
            if (_waiting.WrittenCount == line.Length) _wake.Release(); // nothing waited before
        }
    }

    /// <summary>Writes what waits and closes the file.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (!_isOver) Stop(null);
        }
        _writer.Join(LastWrites);
    }

    /// <summary>Under the gate: takes no more lines.</summary>
    private void Stop(string? why)
    {
        _isOver = true;
        _wake.Release();
        if (why is not null) ThreadPool.UnsafeQueueUserWorkItem(static over => over.Record._ended(over.Why), (Record: this, Why: why), preferLocal: false);
    }

    private void Write()
    {
        var writing = new ArrayBufferWriter<byte>(64 << 10);
        try
        {
            using var file = _file;
            bool isLast;
            do
            {
                _wake.Wait();
                lock (_gate)
                {
                    (writing, _waiting) = (_waiting, writing);
                    isLast = _isOver;
                }
                file.Write(writing.WrittenSpan);
                writing.ResetWrittenCount();
            }
            while (!isLast);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            lock (_gate)
            {
                _waiting = new();
                if (!_isOver) Stop($"{_path} cannot be written: {error.Message.TrimEnd('.')}");
            }
        }
    }
}
