using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>What all bonds of one link or host share.</summary>
internal sealed class TransportContext : IDisposable
{
    public TransportContext(TimeProvider timeProvider, INetworkPlatform platform, ITransportLog log, IBondRecord? record = null)
    {
        Clock = new(timeProvider);
        Platform = platform;
        Log = log;
        Record = record;
        Deadlines = new(Clock, () => platform.BootTime, log);
    }

    public TransportClock Clock { get; }

    public INetworkPlatform Platform { get; }

    public ITransportLog Log { get; }

    /// <summary>Where bonds are written down; null if they are not.</summary>
    public IBondRecord? Record { get; }

    public DeadlineThread Deadlines { get; }

    public void Dispose() => Deadlines.Dispose();
}
