using System.ComponentModel;
using System.Globalization;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>The path manager's events for people and for programs.</summary>
internal static class EventReport
{
    public static string WordOf(MultipathEventKind kind) => kind switch
    {
        MultipathEventKind.Lost => "lost",
        MultipathEventKind.Created => "created",
        MultipathEventKind.Established => "established",
        MultipathEventKind.Closed => "closed",
        MultipathEventKind.Announced => "announced",
        MultipathEventKind.Removed => "removed",
        MultipathEventKind.SubflowEstablished => "subflow-established",
        MultipathEventKind.SubflowClosed => "subflow-closed",
        MultipathEventKind.SubflowPriority => "subflow-priority",
        MultipathEventKind.ListenerCreated => "listener-created",
        MultipathEventKind.ListenerClosed => "listener-closed",
        _ => string.Create(CultureInfo.InvariantCulture, $"event-{(int)kind}"),
    };

    /// <summary>RFC 8684 section 3.6.</summary>
    public static string? ReasonOf(int? reset) => reset switch
    {
        null or 0 => null,
        1 => "an error of MPTCP",
        2 => "the peer lacks resources",
        3 => "the peer's rules forbid it",
        4 => "too much data was on the way",
        5 => "it performed badly",
        6 => "something on the way interferes",
        var other => string.Create(CultureInfo.InvariantCulture, $"reason {other}"),
    };

    public static string ErrorOf(int number) => new Win32Exception(number).Message;

    public static string Line(MultipathEvent happened, LocalInterfaces interfaces, TimeOnly at)
    {
        string[] parts =
        [
            at.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture),
            happened.Token is { } token ? token.ToString("x8", CultureInfo.InvariantCulture) : "-       ",
            Sentence(happened, interfaces),
        ];
        return string.Join("  ", parts);
    }

    private static string Sentence(MultipathEvent happened, LocalInterfaces interfaces)
    {
        var ends = happened.Local is null ? $"{happened.Remote}" : happened.Remote is null ? $"{happened.Local}" : $"{happened.Local} -> {happened.Remote}";
        var name = happened.InterfaceIndex != 0 ? interfaces.NameOf(happened.InterfaceIndex) : happened.Local is { } local ? interfaces.NameOf(local.Address) : null;
        var subflow = $"{(name is null ? "" : $"{name} ")}{ends} (id {happened.LocalId} to {happened.RemoteId})";
        return happened.Kind switch
        {
            MultipathEventKind.Lost => "some events were lost: they came faster than they were read",
            MultipathEventKind.Created => $"connection created: {ends}{(happened.IsServerSide == true ? ", called by the peer" : "")}{Denied(happened)}",
            MultipathEventKind.Established => $"connection established: {ends}{Denied(happened)}",
            MultipathEventKind.Closed => "connection closed",
            MultipathEventKind.Announced => $"peer announces {(happened.Remote is { Port: 0 } bare ? $"{bare.Address}" : ends)} (id {happened.RemoteId})",
            MultipathEventKind.Removed => $"peer takes back id {happened.RemoteId}",
            MultipathEventKind.SubflowEstablished => $"subflow established: {subflow}{(happened.IsBackup == true ? ", backup" : "")}",
            MultipathEventKind.SubflowClosed => $"subflow closed: {subflow}{Why(happened)}",
            MultipathEventKind.SubflowPriority => $"subflow {(happened.IsBackup == true ? "is backup now" : "is no longer backup")}: {subflow}",
            MultipathEventKind.ListenerCreated => $"taking subflows at {ends}",
            MultipathEventKind.ListenerClosed => $"no longer taking subflows at {ends}",
            _ => $"{WordOf(happened.Kind)}: {ends}",
        };
    }

    private static string Denied(MultipathEvent happened) =>
        happened.Flags.HasFlag(MultipathEventFlags.DeniesJoinsToFirstAddress) ? ", takes joins at announced addresses only" : "";

    private static string Why(MultipathEvent happened)
    {
        var why = happened.Error == 0 ? "" : $": {ErrorOf(happened.Error)}";
        if (ReasonOf(happened.ResetReason) is { } reason) why += $", reset by the peer: {reason}";
        return happened.ResetFlags is { } flags && (flags & 1) != 0 ? why + " (it may work again soon)" : why;
    }
}
