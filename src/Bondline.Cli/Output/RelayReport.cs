using System.Globalization;
using System.Text.Json;
using Bondline.Cli.Commands;
using Bondline.Relay;

namespace Bondline.Cli;

/// <summary>What a relay prints of its numbers.</summary>
internal static class RelayReport
{
    /// <summary>A stats line, as JSON or for people.</summary>
    public static string Statistics(RelayStatistics relay, bool isJson)
    {
        var (bytes, visitors) = (relay.Bytes, relay.Visitors);
        return isJson
            ? JsonSerializer.Serialize(
                new RelayStatsLine(
                    "stats", bytes.BytesReceived, bytes.BytesSent, bytes.FramingBytesSent, bytes.BytesReinjected, bytes.BytesDuplicated, bytes.DuplicateBytesReceived, bytes.Streams, relay.Agents,
                    relay.MultipathAgents, visitors.Connections, visitors.Multipath, visitors.Spread, visitors.MostSubflows, Math.Round(visitors.AverageSubflows, 2)),
                RelayJson.Lines.RelayStatsLine)
            : string.Create(
                CultureInfo.InvariantCulture,
                $"up {bytes.BytesReceived / 1e6:0.0} MB, down {bytes.BytesSent / 1e6:0.0} MB, {relay.Agents} agents{Multipath(relay.MultipathAgents)}, {bytes.Streams} streams, {visitors.Connections} visitors{Multipath(visitors)}, reinjected {bytes.BytesReinjected / 1e6:0.0} MB, duplicated {bytes.BytesDuplicated / 1e6:0.0} MB");
    }

    private static string Multipath(int agents) => agents == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" ({agents} by MPTCP)");

    private static string Multipath(VisitorStatistics visitors) => visitors.Multipath == 0 ? ""
        : string.Create(CultureInfo.InvariantCulture, $" ({visitors.Multipath} by MPTCP, {visitors.Spread} with several subflows, {visitors.MostSubflows} at most, {visitors.AverageSubflows:0.0} on average)");
}
