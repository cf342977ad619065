using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>The lines of <c>bondline mptcp ... --json</c>. Names and order of the members are a contract: scripts depend on them.</summary>
internal sealed record EndpointLine(string Event, int Id, string Address, int? Port, string? Interface, IReadOnlyList<string> Flags)
{
    public EndpointLine(int id, string address, int? port, string? name, IReadOnlyList<string> flags) : this("endpoint", id, address, port, name, flags) { }
}

internal sealed record LimitsLine(string Event, int Subflows, int AddAddrAccepted)
{
    public LimitsLine(int subflows, int addAddrAccepted) : this("limits", subflows, addAddrAccepted) { }
}

/// <summary>The kernel's counters, by its own names; with <c>--watch</c> also what was added since the last line.</summary>
internal sealed record CountersLine(string Event, DateTimeOffset At, IReadOnlyDictionary<string, long> Counters, IReadOnlyDictionary<string, long>? Changes)
{
    public CountersLine(DateTimeOffset at, IReadOnlyDictionary<string, long> counters, IReadOnlyDictionary<string, long>? changes) : this("counters", at, counters, changes) { }
}

/// <summary>One connection. <c>mode</c> is mptcp or tcp; <c>fallback</c> says why it is tcp. Bytes are the program's; kernels before 6.5 do not tell them.</summary>
internal sealed record ConnectionLine(
    string Event, string Token, string State, string Mode, string? Fallback, string Local, string Remote, int? ProcessId, string? Process, uint UserId,
    long? SentBytes, long? ReceivedBytes, long? RetransmittedBytes, IReadOnlyList<SubflowItem> Subflows)
{
    public static ConnectionLine Of(MultipathConnection connection, ConnectionReport report, IReadOnlyDictionary<uint, SocketOwner> owners, IReadOnlyDictionary<SubflowKey, SubflowRate> rates)
    {
        var (socket, info) = (connection.Socket, connection.Info);
        var isOwned = owners.TryGetValue(socket.Inode, out var owner);
        return new(
            "connection", MptcpJson.Token(info.Token), ConnectionReport.StateOf(socket.State), info.HasFallenBack ? "tcp" : "mptcp", ConnectionReport.WordOf(connection.Fallback),
            socket.Local.ToString(), socket.Remote.ToString(), isOwned ? owner.Id : null, isOwned ? owner.Name : null, socket.UserId,
            info.BytesSent, info.BytesReceived, info.BytesRetransmitted, [.. connection.Subflows.Select(subflow => SubflowItem.Of(subflow, report, rates))]);
    }
}

/// <summary>One subflow of a connection. <c>rateMbps</c> is TCP's latest sample; <c>outMbps</c> and <c>inMbps</c> are measured, with <c>--watch</c>.</summary>
internal sealed record SubflowItem(
    string? Interface, string Local, string Remote, string State, int? LocalId, int? RemoteId, bool? Backup, string? CongestionControl, double? RttMs, int? Cwnd,
    double? RateMbps, double? OutMbps, double? InMbps, long? SentBytes, long? ReceivedBytes, long? RetransmittedBytes)
{
    public static SubflowItem Of(InetSocket subflow, ConnectionReport report, IReadOnlyDictionary<SubflowKey, SubflowRate> rates)
    {
        var (tcp, multipath) = (subflow.Tcp, subflow.Subflow);
        var isMeasured = rates.TryGetValue(SubflowKey.Of(subflow), out var rate);
        return new(
            report.InterfaceOf(subflow), subflow.Local.ToString(), subflow.Remote.ToString(), ConnectionReport.StateOf(subflow.State), multipath?.LocalId, multipath?.RemoteId, multipath?.IsBackup,
            subflow.CongestionControl, tcp is { } info ? Math.Round(info.Rtt.TotalMilliseconds, 3) : null, tcp?.CongestionWindow, Megabits(tcp?.DeliveryRate),
            isMeasured ? Megabits(rate.OutBytesPerSecond) : null, isMeasured ? Megabits(rate.InBytesPerSecond) : null, tcp?.BytesSent, tcp?.BytesReceived, tcp?.BytesRetransmitted);
    }

    private static double? Megabits(double? bytesPerSecond) => bytesPerSecond is { } rate ? Math.Round(rate * 8 / 1e6, 3) : null;
}

/// <summary>One event of the path manager; what it does not have is left out.</summary>
internal sealed record EventLine(
    string Event, DateTimeOffset At, string? Token, string? Local, string? Remote, int? LocalId, int? RemoteId, string? Interface, bool? Backup, bool? ServerSide,
    bool? DeniesJoinsToFirstAddress, int? Errno, string? Error, int? ResetReason, bool? ResetIsTransient)
{
    public static EventLine Of(MultipathEvent happened, LocalInterfaces interfaces, DateTimeOffset at) => new(
        EventReport.WordOf(happened.Kind), at, happened.Token is { } token ? MptcpJson.Token(token) : null, happened.Local?.ToString(), happened.Remote?.ToString(), happened.LocalId, happened.RemoteId,
        interfaces.NameOf(happened.InterfaceIndex), happened.IsBackup, happened.IsServerSide, happened.Flags.HasFlag(MultipathEventFlags.DeniesJoinsToFirstAddress) ? true : null,
        happened.Error == 0 ? null : happened.Error, happened.Error == 0 ? null : EventReport.ErrorOf(happened.Error), happened.ResetReason, happened.ResetFlags is { } flags ? (flags & 1) != 0 : null);
}

/// <summary>What came of one network: <c>verdict</c> is mptcp, fallback, stripped, blackholed, blocked or not-asked; times are there where a connection came of it.</summary>
internal sealed record CheckLine(string Event, string Host, string Interface, string Address, int Port, string Verdict, string Tcp, double? TcpMs, string Mptcp, double? MptcpMs, string Detail)
{
    public static CheckLine Of(string host, MptcpVerdict verdict) => new(
        "check", host, verdict.Way.Name, verdict.Way.Target.Address.ToString(), verdict.Way.Target.Port, verdict.Word, Word(verdict.Plain), Time(verdict.Plain), Word(verdict.Multipath), Time(verdict.Multipath), verdict.Sentence);

    private static string Word(MptcpAttempt attempt) => attempt.Outcome switch
    {
        AttemptOutcome.Connected => "connected",
        AttemptOutcome.Refused => "refused",
        AttemptOutcome.Unreachable => "no-route",
        AttemptOutcome.Silent => "no-answer",
        _ => "failed",
    };

    private static double? Time(MptcpAttempt attempt) => attempt.IsConnected ? Math.Round(attempt.Time.TotalMilliseconds, 3) : null;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EndpointLine))]
[JsonSerializable(typeof(LimitsLine))]
[JsonSerializable(typeof(CountersLine))]
[JsonSerializable(typeof(ConnectionLine))]
[JsonSerializable(typeof(EventLine))]
[JsonSerializable(typeof(CheckLine))]
internal sealed partial class MptcpJson : JsonSerializerContext
{
    public static MptcpJson Lines => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    public static string Token(uint token) => token.ToString("x8", CultureInfo.InvariantCulture);
}
