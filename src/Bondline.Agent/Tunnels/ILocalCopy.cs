using Bondline.Transport;

namespace Bondline.Agent;

/// <summary>Carries the bytes between a local service and a stream of the bond, one method per direction. A service that fails is a <see cref="System.Net.Sockets.SocketException"/>.</summary>
internal interface ILocalCopy
{
    /// <inheritdoc cref="SocketCopy.SinceLastWrite"/>
    TimeSpan? SinceLastWrite { get; }

    /// <inheritdoc cref="SocketCopy.ToStreamAsync"/>
    Task ToStreamAsync();

    /// <inheritdoc cref="SocketCopy.ToSocketAsync"/>
    Task ToSocketAsync();
}

/// <summary>As <see cref="SocketCopy"/>: plain bytes.</summary>
internal sealed class PlainCopy(SocketCopy copy) : ILocalCopy
{
    public TimeSpan? SinceLastWrite => copy.SinceLastWrite;

    public Task ToStreamAsync() => copy.ToStreamAsync();

    public Task ToSocketAsync() => copy.ToSocketAsync();
}
