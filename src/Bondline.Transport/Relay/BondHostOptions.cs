using System.Security.Cryptography.X509Certificates;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>What a <see cref="BondHost"/> needs, and its limits.</summary>
public sealed record BondHostOptions
{
    /// <summary>The relay's own key, an ECDSA P-256 certificate with its private key; agents pin its public key. The caller disposes it after the host.</summary>
    public required X509Certificate2 Identity { get; init; }

    /// <summary>The first 32 bits of every bond's id: tells this relay from others.</summary>
    public required uint RelayId { get; init; }

    public required IAgentAuthenticator Authenticator { get; init; }

    /// <summary>Addresses agents should join at, if a name leads to several relays.</summary>
    /// <value>Default empty: where the bond was opened.</value>
    public IReadOnlyList<HostPort> Addresses { get; init; } = [];

    /// <summary>Limits of each bond.</summary>
    public BondOptions Bond { get; init; } = BondOptions.Default;

    /// <summary>How long a bond without subflows is kept.</summary>
    /// <value>Default 15 minutes.</value>
    public TimeSpan KeepTime { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>TLS and bond handshakes in progress at once; beyond, the oldest one is closed.</summary>
    /// <value>Default 512: half a TLS handshake costs 79 KB resident.</value>
    public int MaxHandshakes { get; init; } = 512;

    /// <summary>Of those, from one source: a /24 of IPv4 or a /56 of IPv6; beyond, its oldest one is closed. Loopback is exempt.</summary>
    /// <value>Default 32.</value>
    public int MaxHandshakesPerSource { get; init; } = 32;

    /// <summary>Time for TLS, and again for the first frames inside it.</summary>
    /// <value>Default 10 s.</value>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Bonds at once; more are refused.</summary>
    /// <value>Default 20,000.</value>
    public int MaxBonds { get; init; } = 20_000;

    /// <summary>Bonds one token may have at once.</summary>
    /// <value>Default 8,192.</value>
    public int MaxBondsPerToken { get; init; } = 8_192;

    /// <summary>The operating system.</summary>
    public INetworkPlatform Platform { get; init; } = NetworkPlatform.Current;

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    public ITransportLog Log { get; init; } = SilentTransportLog.Instance;

    /// <summary>Where its bonds are written down. The caller ends it after the host.</summary>
    /// <value>Default null: they are not.</value>
    public IBondRecord? Record { get; init; }
}
