using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>The relay's end of a bond.</summary>
public sealed class RelayBond : BondConnection
{
    internal RelayBond(BondDriver driver, SecretBytes secret, OpenRequest request, DateTimeOffset since) : base(driver)
    {
        Secret = secret;
        TokenId = request.Token.Id;
        Instance = request.Instance;
        Since = since;
    }

    /// <summary>The id of the token that opened the bond; names and ports belong to it.</summary>
    public string TokenId { get; }

    /// <summary>The agent's instance: the same over its restarts.</summary>
    public Guid Instance { get; }

    /// <summary>When the bond was opened.</summary>
    public DateTimeOffset Since { get; }

    /// <summary>How long the bond has had no live subflow; null while it has one.</summary>
    public TimeSpan? SilentFor => Driver.SilentFor;

    /// <summary>One of its subflows is a Multipath TCP connection now.</summary>
    public bool IsMultipath => Driver.Pumps.Any(pump => pump.IsMultipath);

    /// <summary>What joins are proved with.</summary>
    internal SecretBytes Secret { get; }
}
