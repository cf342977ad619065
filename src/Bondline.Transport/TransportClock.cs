using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>The one source of <see cref="Instant"/>s: time since it was made, from a provider's monotonic time stamps.</summary>
internal sealed class TransportClock(TimeProvider provider)
{
    private readonly long _origin = provider.GetTimestamp();

    public TimeProvider Provider { get; } = provider;

    // One second, not zero: "now minus something" stays positive.
    public Instant Now => new(1_000_000 + Provider.GetElapsedTime(_origin).Ticks / 10);
}
