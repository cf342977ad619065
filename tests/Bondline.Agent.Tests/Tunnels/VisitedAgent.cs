using System.Net.Sockets;
using Bondline.Transport;

namespace Bondline.Agent.Tests;

/// <summary>An agent with one tunnel and one visitor whose connection has reached the local service.</summary>
internal sealed class VisitedAgent(TestRelay relay, LocalService service, RunningAgent running, TestAgent agent, BondStream visitor, Socket local) : IAsyncDisposable
{
    public RunningAgent Running => running;

    public TestAgent Agent => agent;

    public BondStream Visitor => visitor;

    public Socket Local => local;

    public static async Task<VisitedAgent> StartAsync(TimeSpan drainTime)
    {
        var relay = new TestRelay();
        var service = new LocalService();
        var running = new RunningAgent(new TunnelAgentOptions { Join = relay.Join, Instance = Guid.NewGuid(), Tunnels = [new(service.Target)], DrainTime = drainTime });
        try
        {
            var agent = await relay.AgentAsync();
            await agent.AcceptTunnelAsync();
            await running.ToldAsync();
            await service.SkipProbeAsync();
            return new(relay, service, running, agent, await agent.VisitAsync(), await service.AcceptAsync());
        }
        catch
        {
            await running.DisposeAsync();
            service.Dispose();
            await relay.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        local.Dispose();
        await visitor.DisposeAsync();
        await running.DisposeAsync();
        service.Dispose();
        await relay.DisposeAsync();
    }
}
