using System.Net;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>Whose tunnels they are: a bond of an agent.</summary>
internal interface ITunnelHolder
{
    /// <summary>For logs.</summary>
    object Bond { get; }

    string TokenId { get; }

    Guid Instance { get; }

    DateTimeOffset Since { get; }

    /// <summary>How long no subflow of the bond has been alive; null while one is.</summary>
    TimeSpan? SilentFor { get; }

    /// <summary>Cancelled when the bond is over.</summary>
    CancellationToken Over { get; }

    /// <summary>Where requests are told, should the agent watch them.</summary>
    RequestFeed Requests { get; }

    ValueTask<BondStream> OpenStreamAsync(StreamHeader header, CancellationToken cancellationToken);

    /// <summary>Tells the agent that another has its tunnel now. Never blocks.</summary>
    void TellSuperseded(TunnelSuperseded message);
}

/// <summary>A public name or port that leads to one agent.</summary>
internal abstract class Tunnel(ITunnelHolder holder, RegisterTunnel request, string url) : IAsyncDisposable
{
    public ITunnelHolder Holder => holder;

    /// <summary>The agent's number for it.</summary>
    public ulong Number => request.Tunnel;

    /// <summary>The local address visitors are led to, as the agent writes it.</summary>
    public string? Local => request.Local;

    public string Url => url;

    /// <summary>Opens the stream of one visitor connection.</summary>
    public ValueTask<BondStream> OpenStreamAsync(StreamKind kind, EndPoint? visitor, CancellationToken cancellationToken) =>
        holder.OpenStreamAsync(new StreamHeader { Kind = kind, Tunnel = Number, Visitor = Plain(visitor) }, cancellationToken);

    /// <summary>Takes no more visitors; those being served live on with their streams.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>A connection to a dual-mode socket shows an IPv4 visitor as ::ffff:a.b.c.d.</summary>
    private static IPEndPoint? Plain(EndPoint? endPoint) => endPoint switch
    {
        IPEndPoint { Address.IsIPv4MappedToIPv6: true } mapped => new(mapped.Address.MapToIPv4(), mapped.Port),
        IPEndPoint plain => plain,
        _ => null,
    };
}
