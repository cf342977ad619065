using System.Net;
using Bondline.Protocol;

namespace Bondline.Relay;

/// <summary>What a relay is to be. Checked by <see cref="Problems"/> when it starts.</summary>
public sealed record RelayOptions
{
    /// <summary>HTTP tunnels are names under it: <c>NAME.DOMAIN</c>.</summary>
    /// <value>Default null: each HTTP tunnel gets a port of <see cref="TcpPorts"/> instead.</value>
    public string? Domain { get; init; }

    /// <summary>The address of every port the relay opens.</summary>
    /// <value>Default null: all of the machine's.</value>
    public IPAddress? Listen { get; init; }

    /// <summary>The address in URLs where every address is listened on.</summary>
    /// <value>Default null: the one this machine sends from to the rest of the world.</value>
    public IPAddress? Address { get; init; }

    /// <summary>Agents and HTTPS visitors.</summary>
    /// <value>Default 443; 0 for one the system chooses.</value>
    public int HttpsPort { get; init; } = 443;

    /// <summary>HTTP visitors.</summary>
    /// <value>Default 80; 0 for one the system chooses.</value>
    public int HttpPort { get; init; } = 80;

    /// <summary>TCP tunnels get ports of it.</summary>
    /// <value>Default 7000-7999; <see cref="PortRange.Ephemeral"/> for ports the system chooses.</value>
    public PortRange TcpPorts { get; init; } = new(7000, 7999);

    /// <summary>Keeps the key, the tokens, and which names and ports are whose.</summary>
    /// <value>Default null: <c>/var/lib/bondline</c> as root, else <c>$XDG_STATE_HOME/bondline</c>; with <see cref="IsEmbedded"/>, in memory.</value>
    public string? DataDirectory { get; init; }

    /// <summary>The relay serves the agent in its own process: on loopback, names are under <c>localhost</c>; with one HTTP tunnel any Host is answered.</summary>
    public bool IsEmbedded { get; init; }

    /// <summary>What HTTP visitors may send, and for how long they may be silent.</summary>
    public HttpLimits Http { get; init; } = new();

    /// <summary>How long a bond without subflows is kept.</summary>
    /// <value>Default 15 minutes.</value>
    public TimeSpan KeepTime { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>Where its bonds are written down. The caller ends it after the relay.</summary>
    /// <value>Default null: they are not.</value>
    public IBondRecord? Record { get; init; }

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>How many files and sockets there are to divide among visitors and agents.</summary>
    /// <value>Default null: as many as this process may have open.</value>
    internal int? MaxOpenFiles { get; init; }

    /// <summary>Everything that is wrong, one sentence without its full stop each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (Domain is not null && Uri.CheckHostName(Domain) != UriHostNameType.Dns) problems.Add($"--domain {Domain} is no domain name");
        if (Domain?.Length > 253 - 64) problems.Add("--domain is too long for names under it: 189 characters are the most");
        if (HttpsPort is < 0 or > 65_535) problems.Add($"--https-port is {HttpsPort}; it must be between 0 and 65535");
        if (HttpPort is < 0 or > 65_535) problems.Add($"--http-port is {HttpPort}; it must be between 0 and 65535");
        if (HttpPort == HttpsPort && HttpPort != 0) problems.Add($"--http-port and --https-port are both {HttpPort}");
        if (TcpPorts.First < 0 || TcpPorts.Last > 65_535 || TcpPorts.First > TcpPorts.Last) problems.Add($"--tcp-ports is {TcpPorts}; it must be FIRST-LAST within 1-65535");
        else if (!TcpPorts.IsEphemeral && ((HttpPort > 0 && TcpPorts.Contains(HttpPort)) || (HttpsPort > 0 && TcpPorts.Contains(HttpsPort))))
            problems.Add($"--tcp-ports {TcpPorts} includes the relay's own ports");
        problems.AddRange(Http.Problems());
        return problems;
    }
}
