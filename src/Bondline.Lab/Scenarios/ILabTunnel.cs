using System.Globalization;
using System.Net;

namespace Bondline.Lab;

/// <summary>What a scenario sends its traffic through.</summary>
public interface ILabPeer : IAsyncDisposable
{
    LabNetwork Network { get; }

    /// <summary>What it has sent that way so far; null if it does not count.</summary>
    Task<SentBytes?> SentAsync(Flow flow);
}

/// <summary>Something that leads visitors behind the relay to services on the laptop: ours, or one to compare it with.</summary>
public interface ILabTunnel : ILabPeer
{
    /// <summary>Opens tunnels to these ports of the laptop, and closes those opened before.</summary>
    Task OpenAsync(params int[] localPorts);

    /// <summary>Where visitors find the service at a local port.</summary>
    IPEndPoint Visit(int localPort);
}

/// <summary>What a bond's end has sent, in bytes inside TLS.</summary>
/// <param name="New">Bytes of streams, for the first time.</param>
/// <param name="Framing">Frame headers and control frames.</param>
/// <param name="Reinjected">Bytes of streams that were sent again on suspicion or after a loss.</param>
/// <param name="Duplicated">Bytes of small frames sent on two subflows on purpose.</param>
public sealed record SentBytes(long New, long Framing, long Reinjected, long Duplicated)
{
    public double FramingShare => Share(Framing);

    public double ReinjectedShare => Share(Reinjected);

    public static SentBytes operator -(SentBytes later, SentBytes earlier) =>
        new(later.New - earlier.New, later.Framing - earlier.Framing, later.Reinjected - earlier.Reinjected, later.Duplicated - earlier.Duplicated);

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"framing {FramingShare:0.00%}, sent again {ReinjectedShare:0.00%} ({Reinjected / 1000.0:0} kB), twice on purpose {Share(Duplicated):0.00%}");

    private double Share(long bytes) => New > 0 ? (double)bytes / New : 0;
}
