using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>The relay's bonds: takes accepted connections, authenticates them and keeps the bonds they belong to. Every member may be called on any thread.</summary>
public sealed class BondHost : IAsyncDisposable
{
    private static readonly TimeSpan RefusalTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(5);

    private readonly BondHostOptions _options;
    private readonly TransportContext _context;
    private readonly SslServerAuthenticationOptions _tls;
    private readonly byte[] _keyHash;
    private readonly HandshakeAdmission _admission;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _sweeping;
    private readonly Lock _gate = new();

    // Under the gate.
    private readonly Dictionary<BondId, RelayBond> _bonds = [];
    private readonly Dictionary<(string Token, Guid Instance), RelayBond> _byInstance = [];
    private readonly Dictionary<string, int> _countByToken = [];
    private readonly HashSet<Task> _running = [];
    private readonly HashSet<RelayBond> _counted = []; // until their last numbers are in _ended
    private BondStatistics _ended;
    private bool _isStopped;

    public BondHost(BondHostOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _context = new(options.TimeProvider, options.Platform, options.Log, options.Record);
        _tls = SubflowSocket.CreateRelayOptions(options.Identity);
        _keyHash = SubflowSocket.HashKey(options.Identity);
        _admission = new(options.MaxHandshakes, options.MaxHandshakesPerSource);
        _sweeping = SweepAsync();
    }

    /// <summary>Run once per new bond. The token is cancelled when the bond is over; an exception ends the bond. Set before the first connection.</summary>
    public Func<RelayBond, CancellationToken, Task>? OnBond { get; set; }

    /// <summary>SHA-256 of the identity's public key (SPKI): what a join URL's pin says.</summary>
    public KeyPin Pin => KeyPin.FromHash(_keyHash);

    /// <summary>The live bonds, those without subflows included: a snapshot.</summary>
    public IReadOnlyCollection<RelayBond> Bonds
    {
        get
        {
            lock (_gate) return [.. _bonds.Values];
        }
    }

    /// <summary>Counters since the start over all bonds, ended ones included, and what the live ones hold. They never fall.</summary>
    public BondStatistics Statistics
    {
        get
        {
            RelayBond[] counted;
            BondStatistics sum;
            lock (_gate) (counted, sum) = ([.. _counted], _ended);
            foreach (var bond in counted) sum += bond.Driver.Snapshot().Statistics;
            return sum;
        }
    }

    /// <summary>TLS, handshake and subflow of one accepted connection, to its end.</summary>
    /// <param name="accepted">Owned by this call: closed when it returns. Nothing was read from it (peeking is fine).</param>
    /// <param name="cancellationToken">Ends the subflow, not the bond.</param>
    /// <remarks>Never throws for what peers and networks do.</remarks>
    public async Task HandleConnectionAsync(Socket accepted, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(accepted);
        IPEndPoint? remote = null;
        HandshakeAdmission.Place? place = null;
        Attached? attached;
        try
        {
            remote = accepted.RemoteEndPoint as IPEndPoint;
            using (place = _admission.Enter(remote?.Address ?? IPAddress.None)) attached = await AttachAsync(accepted, remote, place.Lost, cancellationToken);
        }
        catch (Exception failure) when (SubflowSocket.IsNetworkFailure(failure) && place is { Lost.IsCancellationRequested: true })
        {
            accepted.Dispose();
            _context.Log.HandshakeFailed(remote, ProtocolError.TooManyHandshakes, "too many handshakes in progress, and it was the oldest");
            return;
        }
        catch (Exception failure) when (SubflowSocket.IsNetworkFailure(failure) || failure is ProtocolException)
        {
            accepted.Dispose();
            _context.Log.HandshakeFailed(remote, (failure as ProtocolException)?.Error ?? ProtocolError.None, failure.Message);
            return;
        }
        catch (Exception bug)
        {
            accepted.Dispose();
            _context.Log.Unexpected("handshake", bug);
            return;
        }

        if (attached is not { } subflow) return;
        using (cancellationToken.UnsafeRegister(static pump => ((SubflowPump)pump!).Abort("the relay stops listening"), subflow.Pump))
            await subflow.Pump.RunAsync(subflow.Early);
    }

    /// <summary>Ends every bond <paramref name="which"/> says yes to; their agents are told with <paramref name="error"/> and <paramref name="reason"/>.</summary>
    public void CloseBonds(Func<RelayBond, bool> which, ProtocolError error, string reason)
    {
        foreach (var bond in Bonds)
            if (which(bond))
                bond.Driver.Fail(error, reason);
    }

    /// <summary>Tells all agents that the relay goes away, and waits until they know or a second is over.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate) _isStopped = true;
        await _stop.CancelAsync();
        await _sweeping;
        CloseBonds(_ => true, ProtocolError.GoingAway, "the relay is stopping");
        Task[] running;
        lock (_gate) running = [.. _running];
        await Task.WhenAll(running);
        _context.Dispose();
        _stop.Dispose();
    }

    private readonly record struct Attached(SubflowPump Pump, byte[] Early);

    /// <returns>Null if the agent was refused.</returns>
    private async Task<Attached?> AttachAsync(Socket accepted, IPEndPoint? remote, CancellationToken lost, CancellationToken cancellationToken)
    {
        SubflowSocket socket;
        using (var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token, lost))
        {
            time.CancelAfter(_options.HandshakeTimeout);
            socket = await SubflowSocket.AuthenticateAsRelayAsync(accepted, _options.Platform, _tls, _keyHash, time.Token);
        }

        var isAttached = false;
        try
        {
            using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token, lost);
            time.CancelAfter(_options.HandshakeTimeout);
            using var closing = time.Token.UnsafeRegister(static socket => ((SubflowSocket)socket!).Abort(), socket);
            var handshake = new RelayHandshake(RandomNumberGenerator.GetBytes(32), _keyHash);
            byte[] early;
            TimeSpan rtt;
            try
            {
                (early, rtt) = await HandshakeExchange.ReceiveRequestAsync(socket, handshake, _context.Clock);
            }
            catch (ProtocolException violation)
            {
                await RefuseAsync(socket, handshake, remote, violation.Error, violation.Message);
                return null;
            }

            var pump = handshake.Open is { } open
                ? await OpenAsync(socket, handshake, open, rtt, remote, time.Token)
                : await JoinAsync(socket, handshake, handshake.Join!, rtt, remote);
            if (pump is null) return null;
            isAttached = true;
            return new(pump, early);
        }
        finally
        {
            if (!isAttached) socket.Dispose();
        }
    }

    private async Task<SubflowPump?> OpenAsync(
        SubflowSocket socket, RelayHandshake handshake, OpenRequest request, TimeSpan rtt, IPEndPoint? remote, CancellationToken cancellationToken)
    {
        var answer = await _options.Authenticator.AuthenticateAsync(request.Token, cancellationToken);
        if (!answer.IsAccepted) return await RefuseAsync(socket, handshake, remote, answer.Error, answer.Reason);

        var id = BondId.Create(_options.RelayId, RandomNumberGenerator.GetBytes(12));
        var secret = new SecretBytes(RandomNumberGenerator.GetBytes(32));
        RelayBond? replaced, bond = null;
        lock (_gate)
        {
            var leaving = _byInstance.TryGetValue((request.Token.Id, request.Instance), out replaced) ? 1 : 0;
            if (!_isStopped && _bonds.Count - leaving < _options.MaxBonds && _countByToken.GetValueOrDefault(request.Token.Id) - leaving < _options.MaxBondsPerToken)
            {
                var driver = new BondDriver(BondRole.Relay, id, _options.Bond, _context, observer: null);
                bond = new(driver, secret, request, _options.TimeProvider.GetUtcNow());
                Add(bond);
            }
        }

        if (bond is null) return await RefuseAsync(socket, handshake, remote, ProtocolError.TooManyBonds, "This relay has as many bonds as it may.");
        handshake.AcceptOpen(id, secret, _options.RelayId, _options.Addresses);
        try
        {
            await HandshakeExchange.SendAsync(socket, handshake.Transmit);
            // Not before: an agent that gave up on this connection, and opened another one meanwhile, must not lose that one to what came late.
            if (replaced is not null)
            {
                lock (_gate) Remove(replaced);
                replaced.Driver.Fail(ProtocolError.Superseded, "The same agent opened a new bond.");
            }

            var pump = bond.Driver.TryAttach(socket, new SubflowId(0), SubflowPolicy.Normal, rtt, remote?.ToString() ?? "");
            _context.Log.BondOpened(id, $"{request.Token.Id} at {remote}");
            lock (_gate)
            {
                _counted.Add(bond);
                _running.Add(RunAsync(bond));
            }

            return pump;
        }
        catch
        {
            // The agent never heard of this bond.
            bond.Driver.Fail(ProtocolError.HandshakeTimeout, "The connection ended before the bond was open.");
            lock (_gate)
            {
                Remove(bond);
                if (replaced is not null && _bonds.ContainsKey(replaced.Id)) _byInstance.TryAdd((replaced.TokenId, replaced.Instance), replaced);
            }

            throw;
        }
    }

    private async Task<SubflowPump?> JoinAsync(SubflowSocket socket, RelayHandshake handshake, JoinRequest request, TimeSpan rtt, IPEndPoint? remote)
    {
        RelayBond? bond;
        lock (_gate) _bonds.TryGetValue(request.Bond, out bond);
        if (bond is null) return await RefuseAsync(socket, handshake, remote, ProtocolError.BondUnknown, "This relay does not know the bond; open a new one.");
        if (!handshake.AcceptJoin(bond.Secret))
        {
            _context.Log.HandshakeFailed(remote, ProtocolError.JoinProof, $"a join to bond {bond.Id} without its secret");
            await FarewellAsync(socket, handshake);
            return null;
        }

        bond.Driver.MakeRoom();
        // Attached before JOINED leaves: when the agent hears it, its subflow is known here; its writer is held until then.
        SubflowPump? pump;
        try
        {
            pump = bond.Driver.TryAttach(socket, request.Subflow, request.Policy, rtt, remote?.ToString() ?? "", isHeld: true);
        }
        catch (ProtocolException refusal)
        {
            return await RefuseAsync(socket, handshake, remote, refusal.Error, refusal.Message);
        }

        if (pump is null)
        {
            var end = await bond.Driver.Completion;
            return await RefuseAsync(socket, handshake, remote, end.ByPeer ? ProtocolError.BondUnknown : end.Error, end.Reason);
        }

        try
        {
            await HandshakeExchange.SendAsync(socket, handshake.Transmit);
        }
        catch (Exception failure) when (SubflowSocket.IsNetworkFailure(failure))
        {
            pump.Abort(failure.Message); // its read loop takes leave
        }

        bond.Driver.Release(pump);
        return pump;
    }

    private async Task<SubflowPump?> RefuseAsync(SubflowSocket socket, RelayHandshake handshake, IPEndPoint? remote, ProtocolError error, string reason)
    {
        _context.Log.HandshakeFailed(remote, error, reason);
        handshake.Refuse(error, reason);
        await FarewellAsync(socket, handshake);
        return null;
    }

    /// <summary>Says the last words and waits a moment until they were read: closing at once could destroy them.</summary>
    private async Task FarewellAsync(SubflowSocket socket, RelayHandshake handshake)
    {
        await HandshakeExchange.SendAsync(socket, handshake.Transmit);
        socket.ShutdownSend();
        using var time = new CancellationTokenSource(RefusalTime, _options.TimeProvider);
        using var closing = time.Token.UnsafeRegister(static socket => ((SubflowSocket)socket!).Abort(), socket);
        var rest = new byte[1024];
        while (await socket.ReadAsync(rest) > 0)
        {
            // whatever it still says
        }
    }

    private async Task RunAsync(RelayBond bond)
    {
        await Task.Yield(); // out of the gate
        using var over = new CancellationTokenSource();
        try
        {
            var work = OnBond?.Invoke(bond, over.Token) ?? Task.CompletedTask;
            await Task.WhenAny(work.IsCompletedSuccessfully ? bond.Completion : work, bond.Completion);
            if (work.IsFaulted) bond.Driver.Fail(ProtocolError.Internal, "unexpected error");
            await bond.Completion;
            lock (_gate) Remove(bond);
            await over.CancelAsync();
            await work;
        }
        catch (OperationCanceledException)
        {
            // told to stop
        }
        catch (Exception bug)
        {
            _context.Log.Unexpected("bond", bug);
            bond.Driver.Fail(ProtocolError.Internal, "unexpected error");
        }

        await bond.Driver.Closed;
        var last = bond.Driver.Snapshot().Statistics;
        lock (_gate)
        {
            Remove(bond);
            _counted.Remove(bond);
            _ended += last;
        }
    }

    private async Task SweepAsync()
    {
        using var timer = new PeriodicTimer(SweepInterval, _options.TimeProvider);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                CloseBonds(bond => bond.SilentFor >= _options.KeepTime, ProtocolError.BondUnknown, "no subflow for too long");
                lock (_gate) _running.RemoveWhere(task => task.IsCompleted);
            }
        }
        catch (OperationCanceledException)
        {
            // the host stops
        }
    }

    private void Add(RelayBond bond)
    {
        _bonds.Add(bond.Id, bond);
        _byInstance[(bond.TokenId, bond.Instance)] = bond;
        _countByToken[bond.TokenId] = _countByToken.GetValueOrDefault(bond.TokenId) + 1;
    }

    private void Remove(RelayBond bond)
    {
        if (!_bonds.Remove(bond.Id)) return;
        var instance = (bond.TokenId, bond.Instance);
        if (_byInstance.GetValueOrDefault(instance) == bond) _byInstance.Remove(instance);
        if (_countByToken[bond.TokenId] == 1) _countByToken.Remove(bond.TokenId);
        else _countByToken[bond.TokenId]--;
    }
}
