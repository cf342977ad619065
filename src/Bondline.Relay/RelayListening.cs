using System.Net;

namespace Bondline.Relay;

/// <summary>Where a running relay can be reached.</summary>
/// <param name="Domain">Names are under it; null if HTTP tunnels get ports.</param>
/// <param name="Https">Agents and HTTPS visitors.</param>
/// <param name="Http">HTTP visitors.</param>
/// <param name="TcpPorts">The range of the TCP tunnels.</param>
/// <param name="IsMultipath">Its ports take Multipath TCP besides TCP.</param>
public sealed record RelayListening(string? Domain, IPEndPoint Https, IPEndPoint Http, PortRange TcpPorts, bool IsMultipath);
