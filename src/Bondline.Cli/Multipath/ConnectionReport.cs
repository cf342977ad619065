using System.Net;
using Bondline.Cli.Screen;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>MPTCP connections for people, at 80 columns.</summary>
/// <param name="interfaces">Names the interfaces.</param>
/// <param name="owners">Who has the sockets.</param>
/// <param name="rates">How fast subflows went since the last report; empty for the first one.</param>
internal sealed class ConnectionReport(LocalInterfaces interfaces, IReadOnlyDictionary<uint, SocketOwner> owners, IReadOnlyDictionary<SubflowKey, SubflowRate> rates)
{
    private const int Width = 80;
    private const string Indent = "  ", Deeper = "         ";

    public static string StateOf(SocketState state) => state switch
    {
        SocketState.Established => "established",
        SocketState.SynSent => "syn-sent",
        SocketState.SynReceived or SocketState.NewSynReceived => "syn-received",
        SocketState.FinWait1 => "fin-wait-1",
        SocketState.FinWait2 => "fin-wait-2",
        SocketState.CloseWait => "close-wait",
        SocketState.LastAck => "last-ack",
        SocketState.Closing => "closing",
        SocketState.TimeWait => "time-wait",
        SocketState.Listening => "listening",
        SocketState.Closed => "closed",
        _ => "unknown",
    };

    /// <summary>A word for programs; null while it speaks MPTCP.</summary>
    public static string? WordOf(MultipathFallback fallback) => fallback switch
    {
        MultipathFallback.None => null,
        MultipathFallback.NotAgreed => "not-agreed",
        MultipathFallback.NotAskedFor => "not-asked-for",
        MultipathFallback.AfterHandshake => "after-handshake",
        _ => "unknown",
    };

    public static string SentenceOf(MultipathFallback fallback) => fallback switch
    {
        MultipathFallback.NotAgreed => "the peer's answer had no MPTCP option: the peer does not speak it, or something on the way took it out.",
        MultipathFallback.NotAskedFor => "the request that was answered had no MPTCP option: those with it got no answer, or this machine asks nobody for a while because of that (net.mptcp.blackhole_timeout).",
        MultipathFallback.AfterHandshake => "both ends agreed, but then data came without MPTCP's options or changed: something on the way does not let it through.",
        _ => "the kernel does not say why (before Linux 6.15 it does to root).",
    };

    public IEnumerable<string> Lines(IReadOnlyList<MultipathConnection> connections) => connections.SelectMany(Lines);

    /// <summary>The interface a subflow uses: the one it is bound to, else the one that has its address.</summary>
    public string? InterfaceOf(InetSocket subflow) => interfaces.NameOf(subflow.InterfaceIndex) ?? interfaces.NameOf(subflow.Local.Address);

    private IEnumerable<string> Lines(MultipathConnection connection)
    {
        var socket = connection.Socket;
        foreach (var line in Parts(socket.Local.ToString(), $"-> {socket.Remote}", $" {Summary(connection)}", OwnerOf(socket))) yield return line;
        var info = connection.Info;
        if (info.BytesSent is { } sent && info.BytesReceived is { } received)
            yield return $"{Indent}{ScreenLayout.Size(sent)} out, {ScreenLayout.Size(received)} in, {ScreenLayout.Size(info.BytesRetransmitted ?? 0)} again over another subflow; token {info.Token:x8}";
        if (info.HasFallenBack)
            foreach (var line in ReportText.Wrap($"plain TCP: {SentenceOf(connection.Fallback)}", Width - Indent.Length)) yield return Indent + line;
        foreach (var line in connection.Subflows.SelectMany(subflow => Lines(connection, subflow))) yield return line;
    }

    private IEnumerable<string> Lines(MultipathConnection connection, InetSocket subflow)
    {
        var peer = subflow.Remote.Equals(connection.Socket.Remote) ? "" : $"-> {subflow.Remote}";
        var state = subflow.State == SocketState.Established ? "" : $" {StateOf(subflow.State)}";
        var backup = subflow.Subflow?.IsBackup == true ? " backup" : "";
        foreach (var line in Parts($"{Indent}{InterfaceOf(subflow) ?? "?",-6} {subflow.Local}", peer, backup, state)) yield return line;
        if (subflow.Tcp is not { } tcp || subflow.State == SocketState.SynSent) yield break;
        var rate = rates.TryGetValue(SubflowKey.Of(subflow), out var measured)
            ? $"{ReportText.Megabits(measured.OutBytesPerSecond)} out {ReportText.Megabits(measured.InBytesPerSecond)} in Mbit/s"
            : $"{ReportText.Megabits(tcp.DeliveryRate)} Mbit/s";
        var numbers = Parts(
            $"{Deeper}rtt {ReportText.Milliseconds(tcp.Rtt)} ms, cwnd {tcp.CongestionWindow}, {rate};",
            $"{ScreenLayout.Size(tcp.BytesSent)} out, {ScreenLayout.Size(tcp.BytesReceived)} in, {ScreenLayout.Size(tcp.BytesRetransmitted)} again");
        foreach (var line in numbers) yield return line;
    }

    private static string Summary(MultipathConnection connection)
    {
        var state = connection.Socket.State == SocketState.Established ? "" : $", {StateOf(connection.Socket.State)}";
        if (connection.Info.HasFallenBack) return $"plain TCP{state}";
        var count = connection.Subflows.Count;
        return $"MPTCP, {count} subflow{(count == 1 ? "" : "s")}{state}";
    }

    private string OwnerOf(InetSocket socket) =>
        owners.TryGetValue(socket.Inode, out var owner) ? $" {TerminalText.Clean(owner.Name, isUnicode: false)} ({owner.Id})" : "";

    // One line if all fits, else a line more for what does not: addresses of IPv6 are long.
    private static IEnumerable<string> Parts(string first, params string[] others)
    {
        var line = first;
        foreach (var part in others.Where(part => part.Length > 0))
        {
            if (line.Length + 1 + part.Length <= Width)
            {
                line += " " + part;
                continue;
            }

            yield return line;
            line = Deeper + part.TrimStart();
        }

        yield return line;
    }
}

/// <summary>Names a subflow from one report to the next.</summary>
internal readonly record struct SubflowKey(IPEndPoint Local, IPEndPoint Remote, uint Token)
{
    public static SubflowKey Of(InetSocket subflow) => new(subflow.Local, subflow.Remote, subflow.Subflow?.LocalToken ?? subflow.Inode);
}

/// <summary>How fast a subflow went between two reports, without what was sent again.</summary>
internal readonly record struct SubflowRate(double OutBytesPerSecond, double InBytesPerSecond)
{
    /// <param name="before">All subflows then.</param>
    /// <param name="after">All subflows now.</param>
    /// <param name="between">The time from then to now.</param>
    public static IReadOnlyDictionary<SubflowKey, SubflowRate> Measure(IEnumerable<InetSocket> before, IEnumerable<InetSocket> after, TimeSpan between)
    {
        var old = new Dictionary<SubflowKey, TcpInfo>();
        foreach (var subflow in before)
            if (subflow.Tcp is { } tcp)
                old[SubflowKey.Of(subflow)] = tcp;
        var rates = new Dictionary<SubflowKey, SubflowRate>();
        foreach (var subflow in after)
        {
            var key = SubflowKey.Of(subflow);
            if (subflow.Tcp is not { } tcp || !old.TryGetValue(key, out var then) || between <= TimeSpan.Zero) continue;
            rates[key] = new(
                Math.Max(0, tcp.BytesAcked - then.BytesAcked) / between.TotalSeconds,
                Math.Max(0, tcp.BytesReceived - then.BytesReceived) / between.TotalSeconds);
        }

        return rates;
    }
}
