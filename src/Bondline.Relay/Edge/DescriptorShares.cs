namespace Bondline.Relay;

/// <summary>How a relay divides the files and sockets its process may have open. What visitors do not get is kept for agents, tunnels' ports and the operator: a flood of visitors takes nothing from them.</summary>
/// <param name="Visitors">Connections of visitors.</param>
/// <param name="VisitorsOfOneSource">Of these, from one address of IPv4 or one /64 of IPv6.</param>
/// <param name="Undecided">Connections to the TLS port that have not said yet whether they are an agent's.</param>
/// <param name="Handshakes">Agents' handshakes under way.</param>
internal readonly record struct DescriptorShares(int Visitors, int VisitorsOfOneSource, int Undecided, int Handshakes)
{
    private const int MostUndecided = 4096, MostHandshakes = 512; // half a TLS handshake costs 79 KB

    /// <param name="openFiles">The process's limit; null: there is none.</param>
    /// <param name="isEmbedded">The agent is in this process, and opens a connection to the local service for each visitor's.</param>
    public static DescriptorShares Of(int? openFiles, bool isEmbedded)
    {
        if (openFiles is not { } all) return new(int.MaxValue, int.MaxValue, MostUndecided, MostHandshakes);
        var kept = all / 5;
        var visitors = Math.Max(1, (all - kept) / (isEmbedded ? 2 : 1));
        return new(visitors, Math.Max(1, visitors / 4), Math.Clamp(kept / 2, 1, MostUndecided), Math.Clamp(kept / 4, 1, MostHandshakes));
    }
}
