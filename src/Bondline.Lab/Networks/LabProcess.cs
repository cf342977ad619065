using System.ComponentModel;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Threading.Channels;
using Bondline.Linux;

namespace Bondline.Lab;

/// <summary>How a program ended and what it printed.</summary>
public sealed record ProcessResult(int ExitCode, string Output, string Error)
{
    /// <exception cref="LabException">It failed.</exception>
    public ProcessResult ThrowIfFailed(string what) =>
        ExitCode == 0 ? this : throw new LabException($"{what} failed with exit code {ExitCode}: {(Error.Length > 0 ? Error : Output).Trim()}");
}

/// <summary>A program that runs, in a namespace of the lab or outside. Its output is read line by line; what nobody reads is kept, the last <see cref="KeptLines"/> lines of it.</summary>
public sealed class LabProcess : IAsyncDisposable
{
    private const int KeptLines = 10_000;

    private readonly Process _process;
    private readonly string _name;
    private readonly Channel<string> _lines = Channel.CreateBounded<string>(new BoundedChannelOptions(KeptLines) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly StringBuilder _error = new();
    private readonly Task _readingOutput, _readingError;
    private TaskCompletionSource _moreError = new(TaskCreationOptions.RunContinuationsAsynchronously); // under the lock of _error
    private bool _isDisposed;

    private LabProcess(Process process, string name)
    {
        _process = process;
        _name = name;
        _readingOutput = ReadOutputAsync();
        _readingError = ReadErrorAsync();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>What it has written to standard error so far, at most its first 64 Ki characters.</summary>
    public string Error
    {
        get
        {
            lock (_error) return _error.ToString();
        }
    }

    /// <summary>Starts a program; <paramref name="inside"/> null: where this process is.</summary>
    /// <exception cref="LabException">It could not be started.</exception>
    public static LabProcess Start(NetworkNamespace? inside, string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        IEnumerable<string> line = inside is null ? arguments : ["netns", "exec", inside.Name, file, .. arguments];
        var start = new ProcessStartInfo(inside is null ? file : "ip", line)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>()) start.Environment[key] = value;
        try
        {
            return new(Process.Start(start)!, Path.GetFileName(file));
        }
        catch (Win32Exception e)
        {
            throw new LabException($"Cannot start {start.FileName}: {e.Message}", e);
        }
    }

    /// <summary>Runs a program to its end; <paramref name="input"/> is all it gets on standard input. It is killed when <paramref name="stop"/> is set.</summary>
    public static async Task<ProcessResult> RunAsync(NetworkNamespace? inside, string file, IEnumerable<string> arguments, string? input = null, CancellationToken stop = default)
    {
        await using var process = Start(inside, file, arguments);
        if (input is not null) await process._process.StandardInput.WriteAsync(input.AsMemory(), stop);
        process._process.StandardInput.Close();
        return await process.WaitAsync(stop);
    }

    /// <summary>Writes a line to its standard input.</summary>
    public async Task WriteLineAsync(string line, CancellationToken stop = default)
    {
        try
        {
            await _process.StandardInput.WriteAsync((line + "\n").AsMemory(), stop);
            await _process.StandardInput.FlushAsync(stop);
        }
        catch (IOException e)
        {
            throw new LabException($"{_name} reads no more: {Error.Trim()}", e);
        }
    }

    /// <summary>Takes a line of its output that is there already.</summary>
    public bool TryReadLine([NotNullWhen(true)] out string? line) => _lines.Reader.TryRead(out line);

    /// <summary>Ends its standard input, which the lab's own programs take as the order to stop.</summary>
    public void CloseInput() => _process.StandardInput.Close();

    /// <returns>The next line it printed; null when it prints no more.</returns>
    public async Task<string?> ReadLineAsync(CancellationToken stop = default) =>
        await _lines.Reader.WaitToReadAsync(stop) && _lines.Reader.TryRead(out var line) ? line : null;

    /// <summary>Reads until a line contains <paramref name="text"/>.</summary>
    /// <exception cref="LabException">It ended, or <paramref name="limit"/> passed, without such a line.</exception>
    public async Task<string> WaitForLineAsync(string text, TimeSpan limit, CancellationToken stop = default)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(stop);
        both.CancelAfter(limit);
        try
        {
            while (await ReadLineAsync(both.Token) is { } line)
                if (line.Contains(text, StringComparison.Ordinal))
                    return line;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new LabException($"{_name} did not print \"{text}\" within {limit.TotalSeconds} s. {Error.Trim()}");
        }
        throw new LabException($"{_name} ended without printing \"{text}\". {Error.Trim()}");
    }

    /// <summary>Waits until what it has written to standard error is as wanted.</summary>
    /// <param name="holds">Whether it is; asked again with every line.</param>
    /// <param name="what">Named if it does not come.</param>
    /// <param name="limit">For all of it.</param>
    /// <exception cref="LabException">It ended, or <paramref name="limit"/> passed.</exception>
    public async Task WaitForErrorAsync(Func<string, bool> holds, string what, TimeSpan limit)
    {
        using var late = new CancellationTokenSource(limit);
        while (true)
        {
            var isOver = _readingError.IsCompleted; // before the look, which then is at all of it
            Task more;
            lock (_error)
            {
                if (holds(_error.ToString())) return;
                more = _moreError.Task;
            }
            if (isOver) throw new LabException($"{_name} ended without: {what}. {Error.Trim()}");
            try
            {
                await Task.WhenAny(more, _readingError).WaitAsync(late.Token);
            }
            catch (OperationCanceledException)
            {
                throw new LabException($"{_name} did not write within {limit.TotalSeconds} s: {what}. {Error.Trim()}");
            }
        }
    }

    /// <summary>Waits until it has ended. <see cref="ProcessResult.Output"/> is what nobody read.</summary>
    public async Task<ProcessResult> WaitAsync(CancellationToken stop = default)
    {
        await _process.WaitForExitAsync(stop);
        await Task.WhenAll(_readingOutput, _readingError);
        var output = new StringBuilder();
        while (_lines.Reader.TryRead(out var line)) output.Append(line).Append('\n');
        return new(_process.ExitCode, output.ToString(), Error);
    }

    /// <summary>Sends a signal: "KILL", "STOP", "CONT", "INT", "TERM".</summary>
    public async Task SignalAsync(string signal) => (await RunAsync(null, "kill", ["-s", signal, $"{Id}"])).ThrowIfFailed($"kill -s {signal} {_name}");

    /// <summary>The processor time it has used, all threads together.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>The memory of it that is in use now, shared pages included.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Kills it, with what it started, if it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, true)) return; // whoever started it, or the lab it runs in
        try
        {
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It ended in between.
        }
        await _process.WaitForExitAsync();
        await Task.WhenAll(_readingOutput, _readingError);
        _process.Dispose();
    }

    private async Task ReadOutputAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line) _lines.Writer.TryWrite(line);
        _lines.Writer.Complete();
    }

    private async Task ReadErrorAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            lock (_error)
            {
                if (_error.Length < 64 << 10) _error.Append(line).Append('\n');
                _moreError.SetResult();
                _moreError = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }
}
