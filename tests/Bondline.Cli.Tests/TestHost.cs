using Bondline.Cli.Multipath;
using Bondline.Cli.Tests.Multipath;

namespace Bondline.Cli.Tests;

/// <summary>Runs the program inside the test, with its own writers, input, environment and signals.</summary>
internal sealed class TestHost : IAsyncDisposable
{
    private readonly LineWriter _output = new(), _error = new();
    private readonly StopSignals _stop = new(isOfProcess: false);
    private Task<int>? _running;

    /// <param name="settings">The agent's settings folder; a new one if null.</param>
    public TestHost(string? settings = null) =>
        Environment = new() { ["XDG_CONFIG_HOME"] = settings ?? Directory.CreateTempSubdirectory("bondline-cli-").FullName, ["HOME"] = "/nonexistent" };

    public Dictionary<string, string> Environment { get; }

    public string Input { get; init; } = "";

    /// <summary>The machine whose MPTCP is set up; without one nothing may be changed.</summary>
    public IMultipathSystem? Machine { get; init; }

    public string Output => _output.Text;

    public string Error => _error.Text;

    public CommandHost Host => new()
    {
        Output = TextWriter.Synchronized(_output),
        Error = TextWriter.Synchronized(_error),
        Input = new StringReader(Input),
        Environment = name => Environment.GetValueOrDefault(name),
        Multipath = () => Machine ?? new FakeMachine { MayChange = false },
        Stop = _stop,
    };

    public Task<int> RunAsync(params string[] arguments) => CommandLine.RunAsync(arguments, Host);

    /// <summary>Starts a command that runs until it is stopped.</summary>
    public TestHost Start(params string[] arguments)
    {
        _running = Task.Run(() => RunAsync(arguments));
        return this;
    }

    /// <summary>The first line of standard output that begins so; fails with everything printed if the command ends without it.</summary>
    public Task<string> LineAsync(string start) => FindAsync(_output, start);

    /// <summary>As <see cref="LineAsync"/>, of standard error.</summary>
    public Task<string> ErrorLineAsync(string start) => FindAsync(_error, start);

    /// <summary>The exit code of the command that was started, once it has ended by itself.</summary>
    public Task<int> ExitAsync() => (_running ?? throw new InvalidOperationException("Nothing was started.")).WaitAsync(TimeSpan.FromSeconds(20));

    /// <summary>One Ctrl-C, and its exit code.</summary>
    public Task<int> StopAsync()
    {
        _stop.Raise();
        return ExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _stop.Raise();
        _stop.Raise();
        if (_running is not null) await _running;
        _stop.Dispose();
    }

    private async Task<string> FindAsync(LineWriter writer, string start)
    {
        var line = writer.FindAsync(start);
        if (await Task.WhenAny(line, _running ?? Task.FromResult(0), Task.Delay(TimeSpan.FromSeconds(20))) == line || line.IsCompleted) return await line;
        throw new InvalidOperationException($"No line begins with \"{start}\".\nOutput:\n{Output}\nError:\n{Error}");
    }

    /// <summary>Keeps what is written and lets tests wait for a line.</summary>
    private sealed class LineWriter : StringWriter
    {
        private readonly Lock _gate = new();
        private readonly List<(string Start, TaskCompletionSource<string> Found)> _waiting = [];
        private readonly List<string> _lines = [];

        public string Text
        {
            get
            {
                lock (_gate) return string.Concat(_lines.Select(line => line + "\n")) + ToString();
            }
        }

        public Task<string> FindAsync(string start)
        {
            lock (_gate)
            {
                if (_lines.Find(line => line.StartsWith(start, StringComparison.Ordinal)) is { } found) return Task.FromResult(found);
                var source = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
                _waiting.Add((start, source));
                return source.Task;
            }
        }

        public override void WriteLine(string? value)
        {
            lock (_gate)
            {
                Write(value);
                var text = ToString();
                GetStringBuilder().Clear();
                _lines.AddRange(text.Split('\n'));
                foreach (var (start, source) in _waiting)
                    if (text.StartsWith(start, StringComparison.Ordinal)) source.TrySetResult(text);
            }
        }
    }
}
