using System.Net.Security;
using System.Net.Sockets;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Agent;

/// <summary>Keeps tunnels up: one bond to the relay, the tunnels registered on every new one, visitors' streams led to the local services.</summary>
public sealed class TunnelAgent
{
    /// <summary>How long a URL waits for a word about the local service behind it, once there is a bond.</summary>
    private static readonly TimeSpan ProbeGrace = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan RenewTime = TimeSpan.FromSeconds(1);

    private readonly TunnelAgentOptions _options;
    private readonly IAgentObserver _observer;
    private readonly ActiveStreams _streams;
    private readonly List<AgentTunnel> _tunnels = [];
    private readonly Lock _gate = new();
    private BondStatistics _earlierBonds;
    private AgentBond? _bond;
    private bool _isDeclined;
    private AgentLink? _link;
    private BudgetKeeper? _budgets;
    private ControlChannel? _control;
    private (LocalTarget Target, Task Task)[] _localProbes = [];

    public TunnelAgent(TunnelAgentOptions options, IAgentObserver observer)
    {
        ArgumentOutOfRangeException.ThrowIfZero(options.Tunnels.Count);
        (_options, _observer) = (options, observer);
        _streams = new(error => observer.Problem(new("internal", $"serving a visitor failed: {error.GetType().Name}: {error.Message}")));
        foreach (var request in options.Tunnels) _tunnels.Add(new((ulong)_tunnels.Count + 1, request));
    }

    /// <summary>Runs until asked to end.</summary>
    /// <param name="drain">Takes no new visitors, lets streams go on for <see cref="TunnelAgentOptions.DrainTime"/>, then ends.</param>
    /// <param name="now">Ends at once.</param>
    /// <exception cref="TunnelAgentException">The relay will not serve these tunnels, or has given them to somebody else.</exception>
    public async Task RunAsync(CancellationToken drain, CancellationToken now)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(now);
        _localProbes = [.. _tunnels.Select(tunnel => (tunnel.Target, ProbeAsync(tunnel, end.Token)))];
        await using var link = new AgentLink(new AgentLinkOptions
        {
            Join = _options.Join,
            Instance = _options.Instance,
            Paths = _options.Paths,
            PathsAreExclusive = _options.PathsAreExclusive,
            Proxies = _options.Proxies,
            Mode = _options.Mode,
            Carrier = _options.Carrier,
            TimeProvider = _options.TimeProvider,
            Log = _options.Log,
            Record = _options.Record,
        });
        var budgets = new BudgetKeeper(_options.Budgets, _options.Settings, _options.TimeProvider, _observer.Problem) { Carried = link.BytesCarried, HoldBack = link.HoldBack };
        budgets.Begin();
        lock (_gate) (_link, _budgets) = (link, budgets);
        link.PathChanged += _observer.PathChanged;
        link.CarrierChanged += _observer.CarrierChanged;
        link.Declined += ReportDeclined;
        var draining = DrainAsync(end, drain);
        var notice = NoticeUnreachableAsync(end.Token);
        var counting = budgets.RunAsync(end.Token);
        try
        {
            await link.RunAsync(ServeBondAsync, end.Token);
        }
        catch (BondRefusedException refused)
        {
            throw new TunnelAgentException(RefusalProblem.From(refused, RelayName));
        }
        finally
        {
            lock (_gate) _link = null;
            await end.CancelAsync();
            await Task.WhenAll([draining, notice, counting, .. _localProbes.Select(probe => probe.Task), _streams.WhenEmptyAsync()]);
            budgets.End();
            foreach (var tunnel in _tunnels) await tunnel.DisposeAsync();
        }
    }

    /// <summary>How the networks are used together.</summary>
    public BondMode Mode => Link?.Mode ?? _options.Mode;

    /// <summary>Uses the networks together in another way from now on, in both directions. On any thread; without effect while the agent does not run.</summary>
    public void ChangeMode(BondMode mode)
    {
        if (Link is { } link) link.Mode = mode;
    }

    /// <summary>Uses a network otherwise from now on, in both directions; <see cref="SubflowPolicy.Off"/> pauses it. On any thread; without effect while the agent does not run.</summary>
    /// <param name="path">The interface's name; one that is left out only because nobody named it is used.</param>
    /// <param name="policy">What for.</param>
    public void ChangePolicy(string path, SubflowPolicy policy) => Link?.ChangePolicy(path, policy);

    public AgentStatistics Snapshot()
    {
        AgentBond? current;
        BondStatistics earlier;
        BudgetKeeper? budgets;
        lock (_gate) (current, earlier, budgets) = (_bond, _earlierBonds, _budgets);
        var snapshot = current?.Snapshot();
        return new(earlier + (snapshot?.Statistics ?? default), _streams.Count, snapshot?.Subflows ?? []) { Budgets = budgets?.Uses ?? [] };
    }

    private AgentLink? Link
    {
        get
        {
            lock (_gate) return _link;
        }
    }

    private string RelayName => _options.Join.Hosts[0].ToString();

    /// <summary>Serves one bond from its first moment to its last.</summary>
    private async Task ServeBondAsync(AgentBond opened, CancellationToken bondOver)
    {
        await WhenProbedAsync();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(bondOver);
        try
        {
            await using var channel = new ControlChannel(await opened.OpenStreamAsync(new StreamHeader { Kind = StreamKind.Control }, over.Token));
            lock (_gate) (_bond, _control, _isDeclined) = (opened, channel, false);
            foreach (var tunnel in _tunnels.Where(tunnel => !tunnel.IsLost)) await channel.SendAsync(tunnel.Registration(_options.IsTakeover), over.Token);
            if (_options.WatchesRequests) await channel.SendAsync(new WatchRequests(), over.Token);
            var accepting = AcceptAsync(opened, over.Token);
            try
            {
                await ReadControlAsync(channel, over.Token);
                if (!over.IsCancellationRequested) await RenewAsync(opened, "the control stream ended", bondOver);
            }
            finally
            {
                await over.CancelAsync();
                await accepting;
            }
        }
        catch (BondStreamException error) when (error.Error != StreamError.BondLost && !bondOver.IsCancellationRequested)
        {
            await RenewAsync(opened, "the control stream was reset", bondOver);
        }
        catch (Exception error) when (error is BondStreamException || (error is OperationCanceledException && over.IsCancellationRequested))
        {
            // The bond is over; the link opens another or ends.
        }
        catch (ProtocolException error)
        {
            _observer.Problem(new("internal", $"{RelayName} sent a control message that cannot be read: {error.Message}"));
            await opened.CloseAsync(error.Error, error.Message);
        }
        finally
        {
            Forget(opened);
        }
    }

    /// <summary>Nothing can be agreed any more on a living bond whose control stream is gone: after a while, in case the relay fails each time, there is another one.</summary>
    private async Task RenewAsync(AgentBond opened, string why, CancellationToken bondOver)
    {
        _observer.Problem(new("internal", $"{RelayName} fails at serving these tunnels: {why}; trying anew"));
        await Task.Delay(RenewTime, _options.TimeProvider, bondOver).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await opened.CloseAsync(ProtocolError.Internal, why);
    }

    /// <summary>Warnings come before "ready", but no URL waits for a service that takes its time. What a service behind TLS speaks has to be known.</summary>
    private async Task WhenProbedAsync()
    {
        var grace = Task.Delay(ProbeGrace, _options.TimeProvider);
        await Task.WhenAll(_localProbes.Select(probe => probe.Target.Scheme == TargetScheme.Https ? probe.Task : Task.WhenAny(probe.Task, grace)));
    }

    private void Forget(AgentBond ended)
    {
        var last = ended.Snapshot().Statistics;
        lock (_gate)
        {
            if (_bond != ended) return;
            _earlierBonds += last with { Streams = 0, BufferedBytes = 0 };
            (_bond, _control) = (null, null);
        }
    }

    private async Task ReadControlAsync(ControlChannel channel, CancellationToken stop)
    {
        while (await channel.ReceiveAsync(stop) is { } message)
        {
            switch (message)
            {
                case TunnelReady ready when Find(ready.Tunnel) is { } tunnel:
                    if (tunnel.HandleReady(ready.Url)) _observer.TunnelReady(tunnel.Target, ready.Url);
                    break;
                case RequestServed request when Find(request.Tunnel) is { } tunnel:
                    _observer.RequestServed(tunnel.Target, request);
                    break;
                case RequestsUntold untold:
                    _observer.RequestsUntold(untold.Count);
                    break;
                case TunnelRefused refused when Find(refused.Tunnel) is { } tunnel:
                    Lose(tunnel, RefusalProblem.From(refused, tunnel, RelayName));
                    break;
                case TunnelSuperseded superseded when Find(superseded.Tunnel) is { } tunnel:
                    Lose(tunnel, RefusalProblem.From(superseded, tunnel, RelayName));
                    break;
            }
        }
    }

    /// <summary>The relay no longer serves <paramref name="tunnel"/>, or never did; it is not asked again.</summary>
    /// <exception cref="TunnelAgentException">It was the last one, or one that never was ready: what the user asked for cannot be had.</exception>
    private void Lose(AgentTunnel tunnel, AgentProblem problem)
    {
        tunnel.IsLost = true;
        if (tunnel.Url is null || _tunnels.All(other => other.IsLost)) throw new TunnelAgentException(problem);
        _observer.Problem(problem);
    }

    private AgentTunnel? Find(ulong id) => id >= 1 && id <= (ulong)_tunnels.Count ? _tunnels[(int)id - 1] : null;

    private async Task AcceptAsync(AgentBond opened, CancellationToken stop)
    {
        try
        {
            while (await opened.AcceptStreamAsync(stop) is { } stream) _streams.Start(() => ServeStreamAsync(stream, stop));
        }
        catch (Exception error) when (error is BondStreamException or OperationCanceledException)
        {
            // The bond is over.
        }
    }

    private async Task ServeStreamAsync(BondStream stream, CancellationToken stop)
    {
        if (stream.Header.Kind == StreamKind.Control || Find(stream.Header.Tunnel) is not { IsLost: false } tunnel)
        {
            stream.Abort(StreamError.TunnelUnknown);
            return;
        }
        if (tunnel.Folder is { } folder)
        {
            await folder.ServeAsync(stream);
            return;
        }
        Socket? local = null;
        SslStream? tls = null;
        try
        {
            local = await tunnel.Target.ConnectAsync(stop);
            if (tunnel.Target.Scheme == TargetScheme.Https)
                tls = await LocalTls.ConnectAsync(local, tunnel.Target, tunnel.Request.IsInsecure, [stream.Header.Kind == StreamKind.Http2 ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11], stop);
        }
        catch (OperationCanceledException) // the bond is over
        {
            local?.Dispose();
            await stream.DisposeAsync();
            return;
        }
        catch (LocalTlsException error)
        {
            local?.Dispose();
            stream.Abort(error.Error);
            ReportTls(tunnel, error, "a visitor was turned away");
            return;
        }
        catch (SocketException error)
        {
            var isReset = error.SocketErrorCode == SocketError.ConnectionReset;
            stream.Abort(isReset ? StreamError.LocalReset : StreamError.LocalUnreachable);
            if (!isReset) ReportUnreachable(tunnel, error, "a visitor was turned away");
            return;
        }
        if (tunnel.IsUnreachable)
        {
            tunnel.IsUnreachable = false;
            _observer.LocalServiceBack(tunnel.Target);
        }
        await using (tls)
        {
            var time = _options.TimeProvider;
            ILocalCopy copy = tls is null ? new PlainCopy(new SocketCopy(local, stream, time)) : new TlsCopy(tls, stream, time);
            await new StreamPump(stream, local, copy, time).RunAsync();
        }
    }

    /// <summary>Looks once whether the local service listens, to warn before a visitor finds out.</summary>
    private async Task ProbeAsync(AgentTunnel tunnel, CancellationToken stop)
    {
        if (tunnel.Target.Scheme == TargetScheme.Folder) return;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(TimeSpan.FromSeconds(tunnel.Target.Scheme == TargetScheme.Https ? 1 : 3)); // "ready" waits for the first
        try
        {
            using var local = await tunnel.Target.ConnectAsync(limit.Token);
            if (tunnel.Target.Scheme == TargetScheme.Https)
            {
                await using var tls = await LocalTls.ConnectAsync(local, tunnel.Target, tunnel.Request.IsInsecure, [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11], limit.Token);
                tunnel.SpeaksHttp2 = tls.NegotiatedApplicationProtocol == SslApplicationProtocol.Http2;
            }
            _observer.LocalServiceAnswers(tunnel.Target);
        }
        catch (LocalTlsException error)
        {
            ReportTls(tunnel, error, "visitors will be turned away");
        }
        catch (SocketException error)
        {
            ReportUnreachable(tunnel, error, "the tunnel works as soon as something listens there");
        }
        catch (OperationCanceledException)
        {
            if (!stop.IsCancellationRequested) ReportUnreachable(tunnel, new((int)SocketError.TimedOut), "the tunnel works as soon as it does");
        }
    }

    /// <summary>Tells it once for each time the service goes away, however many visitors come.</summary>
    private void ReportUnreachable(AgentTunnel tunnel, SocketException error, string effect)
    {
        if (tunnel.IsUnreachable) return;
        tunnel.IsUnreachable = true;
        var why = error.SocketErrorCode switch
        {
            SocketError.ConnectionRefused => "nothing listens on",
            SocketError.TimedOut => "no answer from",
            SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => "no address is known for",
            SocketError.TooManyOpenSockets => "this process may open no more connections, not to",
            _ => "no connection to",
        };
        _observer.Problem(new("local-unreachable", $"{why} {tunnel.Target}: {effect}") { Target = tunnel.Target });
    }

    /// <summary>As <see cref="ReportUnreachable"/>, for a service that accepts connections.</summary>
    private void ReportTls(AgentTunnel tunnel, LocalTlsException error, string effect)
    {
        if (tunnel.IsUnreachable) return;
        tunnel.IsUnreachable = true;
        _observer.Problem(error.Error == StreamError.LocalUntrusted
            ? new("local-untrusted", $"{tunnel.Target} is not trusted, {error.Message}: {effect}", "Add its authority to this machine's, or skip the check with --local-insecure") { Target = tunnel.Target }
            : new("local-unreachable", $"no TLS connection to {tunnel.Target}, {error.Message}: {effect}") { Target = tunnel.Target });
    }

    private async Task NoticeUnreachableAsync(CancellationToken stop)
    {
        try
        {
            await Task.Delay(_options.UnreachableNotice, _options.TimeProvider, stop);
        }
        catch (OperationCanceledException)
        {
            return;
        }
        lock (_gate)
            if (_bond is not null || _isDeclined || _tunnels.Any(tunnel => tunnel.Url is not null)) return;
        _observer.Problem(new("relay-unreachable", $"no network of this machine has reached {RelayName} yet; still trying"));
    }

    private void ReportDeclined(BondRefusedException refused)
    {
        lock (_gate)
        {
            if (_isDeclined) return; // told already, and dialled again since
            _isDeclined = true;
        }

        var problem = RefusalProblem.From(refused, RelayName);
        _observer.Problem(problem with { Message = $"{problem.Message}; still trying" });
    }

    private async Task DrainAsync(CancellationTokenSource end, CancellationToken drain)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(drain, end.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (end.IsCancellationRequested) return;
        ControlChannel? channel;
        lock (_gate) channel = _control;
        if (channel is not null)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(end.Token);
            limit.CancelAfter(_options.DrainTime);
            try
            {
                foreach (var tunnel in _tunnels.Where(tunnel => !tunnel.IsLost)) await channel.SendAsync(new UnregisterTunnel(tunnel.Id), limit.Token);
                await _streams.WhenEmptyAsync().WaitAsync(limit.Token);
            }
            catch (Exception error) when (error is OperationCanceledException or BondStreamException or ObjectDisposedException)
            {
                // Time is up, or the bond went meanwhile: nothing is left to wait for.
            }
        }
        await end.CancelAsync();
    }
}

/// <summary>An agent's numbers at one moment.</summary>
/// <param name="Bytes">Counters since the agent started, over all its bonds.</param>
/// <param name="Streams">Visitors' streams being served.</param>
/// <param name="Subflows">Of the bond of now; empty without one.</param>
public sealed record AgentStatistics(BondStatistics Bytes, int Streams, IReadOnlyList<SubflowSnapshot> Subflows)
{
    /// <summary>What is used of each network's budget.</summary>
    public IReadOnlyList<BudgetUse> Budgets { get; init; } = [];
}
