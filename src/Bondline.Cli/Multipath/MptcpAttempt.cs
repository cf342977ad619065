using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>How an attempt to connect ended.</summary>
internal enum AttemptOutcome
{
    Connected,

    /// <summary>The peer, or something in its name, said no (a reset).</summary>
    Refused,

    /// <summary>No route, or a router or a firewall said that there is none for this (ICMP).</summary>
    Unreachable,

    /// <summary>No answer within the time.</summary>
    Silent,

    /// <summary>This machine could not even try.</summary>
    Failed,
}

/// <summary>One attempt to connect, plainly or with MPTCP.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Time">Until it ended.</param>
/// <param name="IsMultipath">It speaks MPTCP.</param>
/// <param name="Fallback">Why it does not, if it was to.</param>
/// <param name="Error">What the system said, if it failed.</param>
internal sealed record MptcpAttempt(AttemptOutcome Outcome, TimeSpan Time, bool IsMultipath = false, MultipathFallback Fallback = MultipathFallback.None, string? Error = null)
{
    public bool IsConnected => Outcome == AttemptOutcome.Connected;

    /// <summary>Connects from one interface, looks, and closes.</summary>
    /// <param name="interfaceName">Where to go out; null: wherever routing says (for an address of this machine).</param>
    /// <param name="target">Whom to call.</param>
    /// <param name="isMultipath">With MPTCP.</param>
    /// <param name="limit">How long to wait for an answer.</param>
    /// <param name="stop">Ends it early.</param>
    public static async Task<MptcpAttempt> MakeAsync(string? interfaceName, IPEndPoint target, bool isMultipath, TimeSpan limit, CancellationToken stop)
    {
        using var socket = isMultipath ? MultipathSocket.TryCreate(target.AddressFamily) : new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (socket is null) return new(AttemptOutcome.Failed, TimeSpan.Zero, Error: "no MPTCP socket can be made");
        if (interfaceName is not null && TcpSocketOptions.TryBindToDevice(socket, interfaceName) is var bound and not SocketError.Success)
            return new(AttemptOutcome.Failed, TimeSpan.Zero, Error: $"cannot bind to {interfaceName}: {new SocketException((int)bound).Message}");
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(stop);
        enough.CancelAfter(limit);
        var watch = Stopwatch.StartNew();
        try
        {
            await socket.ConnectAsync(target, enough.Token);
        }
        catch (OperationCanceledException)
        {
            stop.ThrowIfCancellationRequested();
            return new(AttemptOutcome.Silent, watch.Elapsed);
        }
        catch (SocketException error)
        {
            return new(OutcomeOf(error.SocketErrorCode), watch.Elapsed, Error: error.Message);
        }

        var time = watch.Elapsed;
        if (!isMultipath) return new(AttemptOutcome.Connected, time);
        return MultipathSocket.IsMultipath(socket)
            ? new(AttemptOutcome.Connected, time, IsMultipath: true)
            : new(AttemptOutcome.Connected, time, Fallback: WhyPlain(((IPEndPoint)socket.LocalEndPoint!).Port));
    }

    private static AttemptOutcome OutcomeOf(SocketError error) => error switch
    {
        SocketError.ConnectionRefused or SocketError.ConnectionReset => AttemptOutcome.Refused,
        SocketError.TimedOut => AttemptOutcome.Silent,
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.HostDown or SocketError.NetworkDown or SocketError.AccessDenied or SocketError.ProtocolOption => AttemptOutcome.Unreachable,
        _ => AttemptOutcome.Failed,
    };

    private static MultipathFallback WhyPlain(int localPort)
    {
        try
        {
            return MultipathConnectionQuery.Read(localPort) is [{ Fallback: not MultipathFallback.None and var why }, ..] ? why : MultipathFallback.Unknown;
        }
        catch (MultipathException)
        {
            return MultipathFallback.Unknown; // sock_diag cannot be used here
        }
    }
}
