using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Benchmarks;

/// <summary>Thousands of agents in one process, each a bond of one subflow with its control stream; they answer what the relay asks, and one clock serves all.</summary>
internal sealed class IdleAgents(JoinUrl join) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Transport.TransportContext _context = new(TimeProvider.System, NetworkPlatform.Current, SilentTransportLog.Instance);
    private readonly List<(BondDriver Driver, BondStream Control, Task Running)> _agents = [];

    /// <summary>Opens more of them, some at a time.</summary>
    public async Task OpenAsync(int number)
    {
        var opening = new ParallelOptions { MaxDegreeOfParallelism = 4 };
        await Parallel.ForEachAsync(Enumerable.Range(0, number), opening, async (_, stop) =>
        {
            var agent = await OpenAsync(stop);
            lock (_agents) _agents.Add(agent);
        });
        await ThrowIfAnyEndedAsync();
    }

    /// <exception cref="IOException">A bond or its one subflow is gone: what is measured then is not all of them.</exception>
    public async Task ThrowIfAnyEndedAsync()
    {
        var ended = _agents.Where(agent => agent.Driver.Completion.IsCompleted || agent.Running.IsCompleted).ToList();
        if (ended.Count == 0) return;
        var why = ended[0].Driver.Completion is { IsCompleted: true } completion ? $"{await completion}" : "its subflow is gone";
        throw new IOException($"{ended.Count} of {_agents.Count} bonds ended, the first because: {why}");
    }

    /// <summary>Each sends <paramref name="lines"/> of 16 KB that the relay reads and skips, as it does with every message of a later version.</summary>
    public async Task SendAsync(int lines)
    {
        var line = Encoding.ASCII.GetBytes($$"""{"type":"later","text":"{{new string('x', 16_000)}}"}""" + "\n");
        foreach (var (_, control, _) in _agents)
            for (var i = 0; i < lines; i++)
                await control.WriteAsync(line);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (driver, _, _) in _agents) driver.Fail(ProtocolError.None, "");
        foreach (var agent in _agents) await CloseAsync(agent.Driver, agent.Running, agent.Control);
        _context.Dispose();
    }

    private async Task<(BondDriver Driver, BondStream Control, Task Running)> OpenAsync(CancellationToken stop)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(stop);
        time.CancelAfter(Patience);
        var socket = await ConnectAsync(time.Token);
        BondDriver driver;
        Task running;
        await using (time.Token.UnsafeRegister(static socket => ((SubflowSocket)socket!).Abort(), socket))
        {
            try
            {
                var handshake = AgentHandshake.Open(join.Token, Guid.NewGuid(), RandomNumberGenerator.GetBytes(32), socket.RelayKeyHash);
                var (early, rtt) = await HandshakeExchange.RunAsync(socket, handshake, _context.Clock);
                driver = new BondDriver(BondRole.Agent, handshake.Welcome!.BondId, BondOptions.Default, _context, observer: null);
                running = driver.TryAttach(socket, new SubflowId(0), SubflowPolicy.Normal, rtt, "lo")!.RunAsync(early);
            }
            catch
            {
                socket.Abort();
                throw;
            }
        }

        BondStream? control = null;
        try
        {
            // As an agent's first request does, it makes the relay read; there is no such tunnel, so nothing else follows.
            control = await driver.OpenStreamAsync(new StreamHeader { Kind = StreamKind.Control }, time.Token);
            var message = new ArrayBufferWriter<byte>();
            ControlCodec.Write(new UnregisterTunnel(1), message);
            await control.WriteAsync(message.WrittenMemory, time.Token);
            return (driver, control, running);
        }
        catch
        {
            driver.Fail(ProtocolError.None, "");
            await CloseAsync(driver, running, control);
            throw;
        }
    }

    private async Task<SubflowSocket> ConnectAsync(CancellationToken stop)
    {
        var tcp = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await tcp.ConnectAsync(new IPEndPoint(IPAddress.Loopback, join.Hosts[0].Port), stop);
        }
        catch
        {
            tcp.Dispose();
            throw;
        }

        return await SubflowSocket.AuthenticateAsAgentAsync(tcp, _context.Platform, join.Hosts[0].Host, join.Pins, stop); // closes tcp if it fails
    }

    /// <summary>Waits until a bond that was ended has let go of everything.</summary>
    private static async Task CloseAsync(BondDriver driver, Task running, BondStream? control)
    {
        await driver.Closed;
        await running;
        if (control is not null) await control.DisposeAsync();
    }
}
