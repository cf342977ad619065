using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>A stream ended before its bytes did: it was reset by either end, or its bond was lost.</summary>
public sealed class BondStreamException(StreamError error) : IOException($"The stream was reset: {error}.")
{
    /// <summary>The code of the end that reset it; <see cref="StreamError.BondLost"/> if the bond is over.</summary>
    public StreamError Error { get; } = error;
}
