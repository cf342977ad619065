using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

/// <summary>What a link does for a bond that nothing happened to on the network: worn keys, a machine that slept, a bug.</summary>
public sealed class UpkeepTests
{
    private static readonly StreamHeader Header = new() { Kind = StreamKind.Tcp, Tunnel = 3 };

    [Fact]
    public async Task A_worn_subflow_is_replaced_before_it_is_closed_and_nothing_is_lost()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync(agent => agent with { WornAfterBytes = 1 << 20 });
        using var late = new CancellationTokenSource(LoopbackPair.Patience);
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = (await link.Relay.AcceptStreamAsync(late.Token))!;
        using var sent = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var received = SHA256.HashDataAsync(far, late.Token).AsTask();
        var bytes = new byte[1 << 20];
        while (pair.Log.Lines.Count(line => line.EndsWith(": replaced", StringComparison.Ordinal)) < 3)
        {
            Random.Shared.NextBytes(bytes);
            sent.AppendData(bytes);
            await near.WriteAsync(bytes, late.Token);
        }

        await near.CompleteWritesAsync();
        Assert.Equal(sent.GetHashAndReset(), await received);
        Assert.DoesNotContain("bond silent", pair.Log.Lines);
        Assert.False(link.Agent.Completion.IsCompleted);
    }

    [Fact]
    public async Task After_a_suspend_subflows_are_suspect_and_their_paths_dialled_at_once()
    {
        var platform = new SleepingPlatform();
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync(agent => agent with { Platform = platform });
        var before = pair.Accepted;
        lock (link.Relay.Driver.Gate) // the relay cannot answer: an answer would abandon the dial
        {
            platform.Sleep(TimeSpan.FromHours(1));
            Until(() => pair.Log.Lines.Any(line => line.EndsWith("Suspect Suspend", StringComparison.Ordinal)), "no subflow became suspect");
            Until(() => pair.Accepted > before, "nothing was dialled");
        }

        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = await link.Relay.AcceptStreamAsync(CancellationToken.None).AsTask().WaitAsync(LoopbackPair.Patience);
        Assert.Equal(3UL, far!.Header.Tunnel);
    }

    [Fact]
    public async Task The_relay_follows_the_policy_of_the_subflow_that_opened_the_bond_and_every_change()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync(agent => agent with { Paths = [new("lo", SubflowPolicy.Backup)], Mode = BondMode.Redundant });
        Until(() => PolicyAtRelay() == SubflowPolicy.Backup && ModeAtRelay() == BondMode.Redundant, "the relay was not told what the agent began with");
        link.Link.ChangePolicy("lo", SubflowPolicy.Metered);
        link.Link.Mode = BondMode.BackupOnly;
        Until(() => PolicyAtRelay() == SubflowPolicy.Metered && ModeAtRelay() == BondMode.BackupOnly, "the relay was not told of the changes");
        await using var near = await link.Agent.OpenStreamAsync(Header);
        Assert.NotNull(await link.Relay.AcceptStreamAsync(CancellationToken.None).AsTask().WaitAsync(LoopbackPair.Patience));
        link.Link.ChangePolicy("lo", SubflowPolicy.Off);
        Until(() => link.Relay.Snapshot().Subflows is [], "the path that was switched off is still there");
        link.Link.ChangePolicy("lo", SubflowPolicy.Normal);
        Until(() => PolicyAtRelay() == SubflowPolicy.Normal, "the path that was switched on again is not there");
        await near.WriteAsync(new byte[1]);

        SubflowPolicy? PolicyAtRelay() => link.Relay.Snapshot().Subflows is [var only] ? only.Policy : null;

        BondMode ModeAtRelay()
        {
            lock (link.Relay.Driver.Gate) return link.Relay.Driver.Bond.Mode;
        }
    }

    [Fact]
    public async Task A_bug_while_a_stream_is_opened_ends_the_bond()
    {
        var time = new FailingTime();
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync(agent => agent with { TimeProvider = time });
        var lost = await Assert.ThrowsAsync<BondStreamException>(() =>
        {
            time.FailOnThisThread();
            return link.Agent.OpenStreamAsync(Header).AsTask();
        });
        Assert.Equal(StreamError.BondLost, lost.Error);
        Assert.Equal(ProtocolError.Internal, (await link.Agent.Completion.WaitAsync(LoopbackPair.Patience)).Error);
        Assert.Single(pair.Log.Bugs);
        pair.Log.Bugs.Clear();
    }

    [Fact]
    public async Task A_bond_without_traffic_leaves_the_processor_alone()
    {
        var platform = new SleepingPlatform();
        await using var pair = new LoopbackPair(relay => relay with { Platform = platform });
        await using var link = await pair.OpenAsync(agent => agent with { Platform = platform });
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = await link.Relay.AcceptStreamAsync(CancellationToken.None).AsTask().WaitAsync(LoopbackPair.Patience);
        await near.WriteAsync(new byte[1]);
        await far!.WriteAsync(new byte[1]); // one end's last word is an acknowledgement, which nobody acknowledges
        await near.ReadExactlyAsync(new byte[1]);
        Until(() => platform.Samples > 0, "the kernel was never asked while bytes were under way");
        Until(
            () =>
            {
                var before = platform.Samples;
                return !SpinWait.SpinUntil(() => platform.Samples != before, TimeSpan.FromMilliseconds(300)); // twelve times the interval while there is traffic
            },
            "the kernel is asked for ever");
    }

    private static void Until(Func<bool> holds, string otherwise) => Assert.True(SpinWait.SpinUntil(holds, LoopbackPair.Patience), otherwise);

    /// <summary>The real one, whose machine can sleep, and which counts.</summary>
    private sealed class SleepingPlatform : INetworkPlatform
    {
        private readonly INetworkPlatform _real = NetworkPlatform.Current;
        private long _slept;
        private int _samples;

        public int Samples => Volatile.Read(ref _samples);

        public TimeSpan BootTime => _real.BootTime + new TimeSpan(Interlocked.Read(ref _slept));

        public void Sleep(TimeSpan time) => Interlocked.Add(ref _slept, time.Ticks);

        public SocketError Bind(Socket socket, string interfaceName) => _real.Bind(socket, interfaceName);

        public void Tune(Socket socket) => _real.Tune(socket);

        public void TuneLocal(Socket socket) => _real.TuneLocal(socket);

        public void LimitUnsent(Socket socket, int bytes) => _real.LimitUnsent(socket, bytes);

        public bool TryUseLossTolerantCongestionControl(Socket socket) => _real.TryUseLossTolerantCongestionControl(socket);

        public bool TrySample(Socket socket, out TcpSample sample)
        {
            Interlocked.Increment(ref _samples);
            return _real.TrySample(socket, out sample);
        }

        public bool TryFindRoute(IPAddress remote, out int interfaceIndex, out bool isLocal) => _real.TryFindRoute(remote, out interfaceIndex, out isLocal);

        public INetworkWatch Watch() => _real.Watch();

        public bool IsReplyFiltered(string interfaceName, [NotNullWhen(true)] out string? explanation) => _real.IsReplyFiltered(interfaceName, out explanation);
    }

    /// <summary>Throws once where it is told to: the engine is asked with the time, under the bond's lock.</summary>
    private sealed class FailingTime : TimeProvider
    {
        private int _thread;

        public void FailOnThisThread() => Volatile.Write(ref _thread, Environment.CurrentManagedThreadId);

        public override long GetTimestamp() =>
            Interlocked.CompareExchange(ref _thread, 0, Environment.CurrentManagedThreadId) == Environment.CurrentManagedThreadId ? throw new InvalidOperationException("a bug") : base.GetTimestamp();
    }
}
