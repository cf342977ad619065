using System.Net;

namespace Bondline.Lab;

/// <summary>Something that leads visitors behind the relay to services on the laptop: ours, or one to compare it with.</summary>
public interface ILabTunnel : IAsyncDisposable
{
    LabNetwork Network { get; }

    /// <summary>Opens tunnels to these ports of the laptop, and closes those opened before.</summary>
    Task OpenAsync(params int[] localPorts);

    /// <summary>Where visitors find the service at a local port.</summary>
    IPEndPoint Visit(int localPort);
}
