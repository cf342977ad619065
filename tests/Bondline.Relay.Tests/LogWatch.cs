using Microsoft.Extensions.Logging;

namespace Bondline.Relay.Tests;

/// <summary>Tells a test when the relay logs something: what no visitor and no agent can see.</summary>
internal sealed class LogWatch : ILoggerFactory, ILogger
{
    /// <summary>A listener has no connection to give, and is asked again later.</summary>
    public const int AcceptFailed = 2001;

    /// <summary>A relay starts whose tokens are all revoked.</summary>
    public const int NoTokenLeft = 2014;

    /// <summary>The store did not take a name or port.</summary>
    public const int NotStored = 2015;

    /// <summary>The relay has a bug, which took a control stream.</summary>
    public const int ControlStreamFailed = 2023;

    /// <summary>The port or name of a tunnel is closed.</summary>
    public const int TunnelClosed = 2032;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Lock _gate = new();
    private readonly List<(int Id, TaskCompletionSource<string> Seen)> _waiting = [];
    private readonly Dictionary<int, int> _counts = [];
    private readonly List<string> _errors = [];

    /// <summary>What somebody must act on: bugs.</summary>
    public IReadOnlyList<string> Errors
    {
        get
        {
            lock (_gate) return [.. _errors];
        }
    }

    /// <summary>How many events with the id there were.</summary>
    public int Count(int id)
    {
        lock (_gate) return _counts.GetValueOrDefault(id);
    }

    /// <summary>The text of the next event with the id.</summary>
    /// <exception cref="TimeoutException">There is none.</exception>
    public Task<string> NextAsync(int id)
    {
        var seen = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate) _waiting.Add((id, seen));
        return seen.Task.WaitAsync(Patience);
    }

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_gate)
        {
            _counts[eventId.Id] = _counts.GetValueOrDefault(eventId.Id) + 1;
            foreach (var (_, seen) in _waiting.Where(wait => wait.Id == eventId.Id)) seen.SetResult(formatter(state, exception));
            _waiting.RemoveAll(wait => wait.Id == eventId.Id);
            if (logLevel >= LogLevel.Error) _errors.Add($"{formatter(state, exception)} {exception}");
        }
    }

    public void Dispose() { }
}
