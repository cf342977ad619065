namespace Bondline.Transport;

/// <summary>What all bonds of one link or host share.</summary>
internal sealed class TransportContext : IDisposable
{
    public TransportContext(TimeProvider timeProvider, INetworkPlatform platform, ITransportLog log)
    {
        Clock = new(timeProvider);
        Platform = platform;
        Log = log;
        Deadlines = new(Clock, () => platform.BootTime, log);
    }

    public TransportClock Clock { get; }

    public INetworkPlatform Platform { get; }

    public ITransportLog Log { get; }

    public DeadlineThread Deadlines { get; }

    public void Dispose() => Deadlines.Dispose();
}
