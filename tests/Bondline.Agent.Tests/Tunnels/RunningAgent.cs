using System.Threading.Channels;
using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Agent.Tests;

/// <summary>An agent that runs for the length of a test, and what it told its user.</summary>
internal sealed class RunningAgent : IAgentObserver, IAsyncDisposable
{
    private readonly CancellationTokenSource _drain = new(), _now = new();
    private readonly Channel<string> _told = Channel.CreateUnbounded<string>();

    public RunningAgent(TestRelay relay, params TunnelRequest[] tunnels)
        : this(new TunnelAgentOptions { Join = relay.Join, Instance = Guid.NewGuid(), Tunnels = tunnels }) { }

    public RunningAgent(TunnelAgentOptions options)
    {
        Agent = new TunnelAgent(options, this);
        Completion = Task.Run(() => Agent.RunAsync(_drain.Token, _now.Token));
    }

    public TunnelAgent Agent { get; }

    /// <summary>Ends when the agent does.</summary>
    public Task Completion { get; }

    /// <summary>The next thing told, paths aside: <c>ready URL</c> or <c>CODE: message</c>.</summary>
    public async Task<string> ToldAsync() => await _told.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(20));

    /// <summary>Asks the agent to end; the first signal.</summary>
    public void Drain() => _drain.Cancel();

    public Task EndAsync() => Completion.WaitAsync(TimeSpan.FromSeconds(20));

    public async Task<AgentProblem> FailureAsync() => (await Assert.ThrowsAsync<TunnelAgentException>(EndAsync)).Problem;

    public void TunnelReady(LocalTarget target, string url) => _told.Writer.TryWrite($"ready {url}");

    public void PathChanged(PathReport path) { }

    public void Problem(AgentProblem problem) => _told.Writer.TryWrite($"{problem.Code}: {problem.Message}");

    public void LocalServiceBack(LocalTarget target) => _told.Writer.TryWrite("the service is back");

    public void RequestServed(LocalTarget target, RequestServed request) => _told.Writer.TryWrite($"{request.Method} {request.Target} {request.Status}");

    public void RequestsUntold(int count) => _told.Writer.TryWrite($"{count} more");

    public async ValueTask DisposeAsync()
    {
        await _now.CancelAsync();
        await ((Task)Task.WhenAny(Completion)).WaitAsync(TimeSpan.FromSeconds(20));
        _drain.Dispose();
        _now.Dispose();
    }
}
