using System.Net;
using Bondline.Protocol;
using Bondline.Relay;

namespace Bondline.Cli;

/// <summary>The relay in the agent's own process, used when none is configured: a throw-away key and token, ports the system chooses, nothing on disk.</summary>
internal sealed class EmbeddedRelay : IAsyncDisposable
{
    private readonly RelayServer _server;

    private EmbeddedRelay(RelayServer server, JoinUrl join) => (_server, Join) = (server, join);

    public JoinUrl Join { get; }

    /// <param name="isLan">Listen on every address of the machine instead of loopback.</param>
    /// <param name="stop">Gives up starting.</param>
    /// <exception cref="CommandException">It cannot listen.</exception>
    public static async Task<EmbeddedRelay> StartAsync(bool isLan, CancellationToken stop)
    {
        var server = new RelayServer(new RelayOptions
        {
            IsEmbedded = true,
            Listen = isLan ? null : IPAddress.Loopback,
            Address = isLan ? await LanAddress.FindAsync(stop) : null,
            HttpsPort = 0,
            HttpPort = 0,
            TcpPorts = PortRange.Ephemeral,
        });
        try
        {
            var listening = await server.StartAsync(stop);
            return new(server, server.CreateToken("agent", $"{IPAddress.Loopback}:{listening.Https.Port}"));
        }
        catch (RelayException error)
        {
            await server.DisposeAsync();
            throw new CommandException(error.Code, error.Message, error.Next);
        }
    }

    /// <summary>Who can open the URL, and how others can.</summary>
    public static string Notice(bool isLan) => isLan
        ? "No relay is configured: machines of this network can open the URL. To share it with everybody, run \"bondline relay\" on a server and \"bondline login JOIN-URL\" here."
        : "No relay is configured: only this machine can open the URL. To share it, run \"bondline relay\" on a server and \"bondline login JOIN-URL\" here, or use --lan.";

    /// <summary>The same for the screen, which has little room.</summary>
    public static string ShortNotice(bool isLan) => isLan
        ? "Machines of this network can open it. For everybody: \"bondline relay\" on a server, then \"bondline login JOIN-URL\" here."
        : "Only this machine can open it; with --lan this network can. For everybody: \"bondline relay\" on a server, then \"bondline login JOIN-URL\" here.";

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
