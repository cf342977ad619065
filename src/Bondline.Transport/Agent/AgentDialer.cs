using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Carries out dials: TCP on the path's interface, TLS with the pin, then OPEN if there is no bond, else JOIN.</summary>
internal sealed class AgentDialer(AgentLinkOptions options, TransportContext context, RelayResolver resolver, IBondObserver observer)
{
    // What Linux itself falls back to (net.ipv4.tcp_base_mss); it fits a packet of IPv6's least MTU with room for two tunnels' headers.
    private const int NarrowPacketBytes = 1024;

    private readonly SemaphoreSlim _opening = new(1, 1);
    private AgentBond? _bond;
    private long _lastSubflow;
    private long _lastHandle;

    /// <summary>The bond that dials join; null before the first one is open, and when it ended.</summary>
    public AgentBond? Bond => Volatile.Read(ref _bond) is { Completion.IsCompleted: false } bond ? bond : null;

    /// <summary>Runs on the opening dial's thread, before any other dial can join the new bond.</summary>
    public required Action<AgentBond> BondOpened { get; init; }

    /// <summary>Dials once.</summary>
    /// <param name="dial">What, where and from where.</param>
    /// <param name="connected">Called when TCP stands.</param>
    /// <param name="cancellationToken">Abandons the dial; without effect once it has joined.</param>
    /// <exception cref="DialException">It did not work.</exception>
    public async Task<(SubflowPump Pump, byte[] Early)> DialAsync(PathCommand.Dial dial, Action connected, CancellationToken cancellationToken)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        time.CancelAfter(dial.Timeout);
        SubflowSocket? socket = null;
        try
        {
            var started = context.Clock.Now;
            var (host, proxy) = resolver.LeadOf(dial.Relay, dial.Id);
            var tcp = await ConnectAsync(dial, time.Token);
            var rtt = proxy is null ? context.Clock.Now.Since(started) : TimeSpan.MaxValue; // of the first leg only
            connected();
            if (proxy is not null) await AskAsync(proxy, host, tcp, time.Token);
            socket = await SubflowSocket.AuthenticateAsAgentAsync(tcp, options.Platform, host.Host, options.Join.Pins, time.Token);
            await using var closing = time.Token.UnsafeRegister(static socket => ((SubflowSocket)socket!).Abort(), socket);
            return await OpenOrJoinAsync(socket, dial, rtt, time.Token);
        }
        catch (Exception failure)
        {
            socket?.Dispose();
            if (Explain(failure, dial, cancellationToken, time.Token) is { } explained) throw explained;
            throw;
        }
    }

    private async Task<Socket> ConnectAsync(PathCommand.Dial dial, CancellationToken cancellationToken)
    {
        var socket = dial.IsMultipath
            ? options.Platform.TryCreateMultipath(dial.Remote.AddressFamily) ?? throw new DialException(DialFailure.Local, "this system makes no MPTCP sockets any more", null)
            : new Socket(dial.Remote.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (dial.Interface is { } name && options.Platform.Bind(socket, name) is not SocketError.Success and var refusal)
                throw new DialException(DialFailure.Local, $"cannot bind to {name}: {refusal}", null);
            if (dial.IsNarrow) options.Platform.LimitPackets(socket, NarrowPacketBytes);
            await socket.ConnectAsync(dial.Remote, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task AskAsync(HttpProxy proxy, HostPort host, Socket tcp, CancellationToken cancellationToken)
    {
        try
        {
            await ProxyTunnel.OpenAsync(tcp, host, proxy, cancellationToken);
        }
        catch
        {
            tcp.Dispose();
            throw;
        }
    }

    private async Task<(SubflowPump Pump, byte[] Early)> OpenOrJoinAsync(SubflowSocket socket, PathCommand.Dial dial, TimeSpan rtt, CancellationToken cancellationToken)
    {
        if (Bond is null)
        {
            // One dial opens; those that connected meanwhile join what it opened.
            await _opening.WaitAsync(cancellationToken);
            try
            {
                // What the last bond ended with may be final, and its subflows' ends are seen first: an agent that was superseded must not supersede in turn.
                if (Bond is null && Volatile.Read(ref _bond) is { } last) await last.NextAllowed.WaitAsync(cancellationToken);
                if (Bond is null) return await OpenAsync(socket, dial, rtt);
            }
            finally
            {
                _opening.Release();
            }
        }

        return Bond is { } bond ? await JoinAsync(socket, bond, dial, rtt) : throw new DialException(DialFailure.Closed, "the bond ended meanwhile", null);
    }

    private async Task<(SubflowPump Pump, byte[] Early)> OpenAsync(SubflowSocket socket, PathCommand.Dial dial, TimeSpan rtt)
    {
        var handshake = AgentHandshake.Open(options.Join.Token, options.Instance, RandomNumberGenerator.GetBytes(32), socket.RelayKeyHash);
        var (early, answered) = await HandshakeExchange.RunAsync(socket, handshake, context.Clock);
        var welcome = handshake.Welcome!;
        Interlocked.Exchange(ref _lastSubflow, 0);
        var bond = new AgentBond(new BondDriver(BondRole.Agent, welcome.BondId, options.Bond, context, observer) { WornAfterBytes = options.WornAfterBytes }, welcome, socket.RelayKeyHash);
        var pump = Attach(bond, socket, new SubflowId(0), SubflowPolicy.Normal, dial, rtt, answered);
        bond.Driver.ChangePolicy(pump, dial.Policy); // OPEN does not say it
        if (welcome.Addresses.Count > 0) resolver.SetHosts(welcome.Addresses);
        Volatile.Write(ref _bond, bond);
        BondOpened(bond);
        return (pump, early);
    }

    private async Task<(SubflowPump Pump, byte[] Early)> JoinAsync(SubflowSocket socket, AgentBond bond, PathCommand.Dial dial, TimeSpan rtt)
    {
        if (!resolver.IsCurrent(dial.Relay)) throw new DialException(DialFailure.Declined, "the relay named other addresses to join at", null);
        if (!socket.RelayKeyHash.AsSpan().SequenceEqual(bond.RelayKeyHash)) throw new DialException(DialFailure.Declined, "another relay of the join URL answers there, and the bond was opened at the first", null);
        var id = new SubflowId((ulong)Interlocked.Increment(ref _lastSubflow));
        var handshake = AgentHandshake.Join(bond.Id, bond.Welcome.BondSecret, id, dial.Policy, RandomNumberGenerator.GetBytes(32), socket.RelayKeyHash);
        try
        {
            var (early, answered) = await HandshakeExchange.RunAsync(socket, handshake, context.Clock);
            return (Attach(bond, socket, id, dial.Policy, dial, rtt, answered), early);
        }
        catch (ProtocolException refusal) when (refusal.Error == ProtocolError.BondUnknown && !bond.Driver.Pumps.Any(other => other.Subflow.State == SubflowState.Active))
        {
            bond.Driver.Fail(ProtocolError.BondUnknown, "the relay does not know the bond any more");
            throw;
        }
    }

    private SubflowPump Attach(AgentBond bond, SubflowSocket socket, SubflowId id, SubflowPolicy policy, PathCommand.Dial dial, TimeSpan connectRtt, TimeSpan answerRtt)
    {
        var rtt = connectRtt < answerRtt ? connectRtt : answerRtt; // a lost SYN lengthens one, the relay's work the other
        var handle = new SubflowId((ulong)Interlocked.Increment(ref _lastHandle));
        return bond.Driver.TryAttach(socket, id, policy, rtt, dial.Path, handle: handle) ?? throw new DialException(DialFailure.Closed, "the bond ended meanwhile", null);
    }

    private static string Whom(PathCommand.Dial dial) => dial.Relay.IsProxy ? $"what {dial.Relay} leads to" : $"{dial.Relay}";

    /// <returns>Null for a bug.</returns>
    private static DialException? Explain(Exception failure, PathCommand.Dial dial, CancellationToken abandoned, CancellationToken time) => failure switch
    {
        DialException known => known,
        _ when abandoned.IsCancellationRequested => new(DialFailure.Abandoned, "abandoned", failure),
        PinMismatchException wrong => new(DialFailure.WrongKey, $"{Whom(dial)} shows another key than the join URL pins{(wrong.Issuer.Length > 0 ? $", in a certificate of \"{wrong.Issuer}\"" : "")}", failure),
        ProxyException proxy => new(proxy.IsDenied ? DialFailure.ProxyDenied : DialFailure.Proxy, proxy.Message, failure),
        ProtocolException refusal => new(DialFailure.Declined, $"{Whom(dial)} refused: {refusal.Message}", failure),
        _ when time.IsCancellationRequested => new(DialFailure.TimedOut, $"no answer from {dial.Relay}", failure),
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } => new(DialFailure.Refused, $"{(dial.Relay.IsProxy ? "no proxy" : "nothing")} listens at {dial.Remote}", failure),
        SocketException { SocketErrorCode: SocketError.TimedOut } => new(DialFailure.TimedOut, $"no answer from {dial.Relay}", failure),
        SocketException { SocketErrorCode: SocketError.NetworkUnreachable or SocketError.HostUnreachable or SocketError.NetworkDown or SocketError.HostDown } unreachable =>
            new(DialFailure.Unreachable, $"{dial.Relay}: {unreachable.Message}", failure),
        SocketException { SocketErrorCode: SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AccessDenied } local =>
            new(DialFailure.Local, local.Message, failure),
        AuthenticationException => new(DialFailure.Intercepted, $"{Whom(dial)} answers, but not as a relay: {failure.Message}", failure),
        _ when SubflowSocket.IsNetworkFailure(failure) => new(DialFailure.Closed, $"{Whom(dial)}: {failure.Message}", failure),
        _ => null,
    };
}

/// <summary>A dial did not become a subflow.</summary>
internal sealed class DialException(DialFailure failure, string detail, Exception? inner) : Exception(detail, inner)
{
    public DialFailure Failure { get; } = failure;

    /// <summary>The relay's code, if it was the relay that said no.</summary>
    public ProtocolError Error => (InnerException as ProtocolException)?.Error ?? ProtocolError.None;
}
