using System.Net;

namespace Bondline.Relay.Tests;

/// <summary>Relays for tests: on loopback, on whatever ports are free.</summary>
internal static class TestRelay
{
    public static RelayOptions Options { get; } = new() { Listen = IPAddress.Loopback, HttpsPort = 0, HttpPort = 0, TcpPorts = PortRange.Ephemeral };
}
