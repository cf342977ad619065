using System.Security.Cryptography;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

public sealed class LoopbackTests
{
    private static readonly StreamHeader Header = new() { Kind = StreamKind.Tcp, Tunnel = 3 };

    [Fact]
    public async Task A_stream_carries_its_header_bytes_and_both_ends()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = await Accept(link.Relay);
        Assert.Equal(3UL, far.Header.Tunnel);

        await near.WriteAsync("ping"u8.ToArray());
        await near.CompleteWritesAsync();
        Assert.Equal("ping", await ReadTextAsync(far));
        await far.WriteAsync("pong"u8.ToArray());
        await far.CompleteWritesAsync();
        Assert.Equal("pong", await ReadTextAsync(near));
        await near.Closed.WaitAsync(LoopbackPair.Patience);
        await far.Closed.WaitAsync(LoopbackPair.Patience);
    }

    [Fact]
    public async Task Bulk_in_both_directions_arrives_unchanged()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = await Accept(link.Relay);
        await Task.WhenAll(TransferAsync(near, far, 64 << 20, seed: 1), TransferAsync(far, near, 64 << 20, seed: 2)).WaitAsync(LoopbackPair.Patience);
    }

    [Fact]
    public async Task The_hosts_counters_outlive_their_bonds()
    {
        await using var pair = new LoopbackPair();
        BondConnection ended;
        await using (var link = await pair.OpenAsync())
        {
            ended = link.Relay;
            await using var near = await link.Agent.OpenStreamAsync(Header);
            await using var far = await Accept(link.Relay);
            await TransferAsync(near, far, 1_000_000, seed: 1).WaitAsync(LoopbackPair.Patience);
            await link.Agent.CloseAsync(ProtocolError.None, "over");
            await link.Relay.Completion.WaitAsync(LoopbackPair.Patience);
        }
        while (pair.Host.Bonds.Any(bond => bond == ended)) await Task.Yield(); // not another one, which the link may have begun to open before it was stopped
        Assert.InRange(pair.Host.Statistics.BytesReceived, 1_000_000, 1_000_100); // and the stream's header
    }

    [Fact]
    public async Task Many_streams_opened_by_both_ends_do_not_mix()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        var work = new List<Task>();
        for (var i = 0; i < 100; i++)
        {
            BondConnection opener = i % 2 == 0 ? link.Agent : link.Relay, accepter = i % 2 == 0 ? link.Relay : link.Agent;
            var near = await opener.OpenStreamAsync(Header with { Tunnel = (ulong)i });
            var far = await Accept(accepter);
            Assert.Equal((ulong)i, far.Header.Tunnel);
            work.Add(TransferAsync(near, far, 100_000 + i, i));
            work.Add(TransferAsync(far, near, 50_000 + i, 1000 + i));
        }

        await Task.WhenAll(work).WaitAsync(LoopbackPair.Patience);
    }

    [Fact]
    public async Task Streams_go_on_when_their_only_subflow_is_cut()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = await Accept(link.Relay);
        var up = TransferAsync(near, far, 16 << 20, seed: 1, pause: 4 << 20, atPause: pair.CutAll);
        var down = TransferAsync(far, near, 16 << 20, seed: 2);
        await Task.WhenAll(up, down).WaitAsync(LoopbackPair.Patience);
        Assert.Equal(link.Agent.Id, link.Relay.Id);
        Assert.False(link.Agent.Completion.IsCompleted);
    }

    [Fact]
    public async Task A_bond_without_subflows_is_resumed_where_it_was()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = await Accept(link.Relay);
        await near.WriteAsync("before "u8.ToArray());
        await ReadExactlyAsync(far, "before ".Length);

        pair.IsRefusing = true;
        pair.CutAll();
        await near.WriteAsync("while away"u8.ToArray());
        await near.CompleteWritesAsync();
        var read = ReadTextAsync(far);
        using (var late = new CancellationTokenSource(LoopbackPair.Patience))
        {
            while (link.Relay.SilentFor is null)
            {
                Assert.False(late.IsCancellationRequested, "the relay did not notice that its only subflow is gone");
                await Task.Yield();
            }
        }

        pair.IsRefusing = false;
        Assert.Equal("while away", await read.WaitAsync(LoopbackPair.Patience));
        Assert.Null(link.Relay.SilentFor);
    }

    [Fact]
    public async Task A_reset_reaches_reader_and_writer_with_its_code()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        var near = await link.Agent.OpenStreamAsync(Header);
        var far = await Accept(link.Relay);
        var read = far.ReadAsync(new byte[1]).AsTask();
        near.Abort(StreamError.LocalReset);
        Assert.Equal(StreamError.LocalReset, (await Assert.ThrowsAsync<BondStreamException>(() => read.WaitAsync(LoopbackPair.Patience))).Error);
        Assert.Equal(StreamError.LocalReset, (await Assert.ThrowsAsync<BondStreamException>(async () => await near.WriteAsync(new byte[1]))).Error);
        await far.DisposeAsync();
        await far.Closed.WaitAsync(LoopbackPair.Patience);
        await near.Closed.WaitAsync(LoopbackPair.Patience);
    }

    [Fact]
    public async Task A_reader_that_does_not_read_stops_its_writer()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = await Accept(link.Relay);
        using var enough = new CancellationTokenSource();
        var written = 0L;
        var writing = WriteAsync();
        // Other streams are not disturbed, and what is held is bounded.
        for (var i = 0; i < 20; i++)
        {
            await using var other = await link.Agent.OpenStreamAsync(Header);
            await using var otherFar = await Accept(link.Relay);
            await TransferAsync(other, otherFar, 1 << 20, i).WaitAsync(LoopbackPair.Patience);
        }

        Assert.False(writing.IsCompleted);
        Assert.InRange(Volatile.Read(ref written), 1, 40 << 20);
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);

        async Task WriteAsync()
        {
            var block = new byte[65_536];
            while (true)
            {
                await near.WriteAsync(block, enough.Token);
                Volatile.Write(ref written, written + block.Length);
            }
        }
    }

    [Fact]
    public async Task A_cancelled_read_leaves_the_stream_usable()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = await Accept(link.Relay);
        using var cancel = new CancellationTokenSource();
        var read = far.ReadAsync(new byte[16], cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
        var waits = far.ReadAsync(Memory<byte>.Empty).AsTask();
        await near.WriteAsync("still here"u8.ToArray());
        Assert.Equal(0, await waits.WaitAsync(LoopbackPair.Patience));
        Assert.Equal("still here", await ReadExactlyAsync(far, "still here".Length));
    }

    [Fact]
    public async Task A_relay_that_forgot_the_bond_gets_a_new_one()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        var near = await link.Agent.OpenStreamAsync(Header);
        await pair.RestartRelayAsync();
        var agent = await pair.NextAgentBondAsync();
        var relay = await pair.NextRelayBondAsync();
        Assert.Equal(agent.Id, relay.Id);
        Assert.NotEqual(link.Agent.Id, agent.Id);
        Assert.Equal(StreamError.BondLost, (await Assert.ThrowsAsync<BondStreamException>(async () => await near.ReadExactlyAsync(new byte[1]))).Error);
        await using var again = await agent.OpenStreamAsync(Header);
        await using var far = await Accept(relay);
        await TransferAsync(again, far, 100_000, seed: 5);
    }

    [Fact]
    public async Task A_stopped_link_ends_its_bond_at_the_relay()
    {
        await using var pair = new LoopbackPair();
        var link = await pair.OpenAsync();
        await link.DisposeAsync();
        var end = await link.Relay.Completion.WaitAsync(LoopbackPair.Patience);
        Assert.True(end.ByPeer);
        Assert.Equal(ProtocolError.None, end.Error);
        Assert.Null(await link.Relay.AcceptStreamAsync());
    }

    private static async Task<BondStream> Accept(BondConnection connection) =>
        await connection.AcceptStreamAsync().AsTask().WaitAsync(LoopbackPair.Patience) ?? throw new InvalidOperationException("The bond is over.");

    private static async Task<string> ReadTextAsync(Stream stream)
    {
        using var reader = new StreamReader(stream, leaveOpen: true);
        return await reader.ReadToEndAsync().WaitAsync(LoopbackPair.Patience);
    }

    private static async Task<string> ReadExactlyAsync(Stream stream, int length)
    {
        var buffer = new byte[length];
        await stream.ReadExactlyAsync(buffer).AsTask().WaitAsync(LoopbackPair.Patience);
        return System.Text.Encoding.UTF8.GetString(buffer);
    }

    /// <summary>Writes and ends one direction; the reader must see the same bytes and the end.</summary>
    private static async Task TransferAsync(BondStream from, BondStream to, int length, int seed, int pause = -1, Action? atPause = null)
    {
        var hashes = await Task.WhenAll(WriteAsync(), ReceiveAsync());
        Assert.Equal(hashes[0], hashes[1]);

        async Task<string> WriteAsync()
        {
            var random = new Random(seed);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var block = new byte[60_000];
            for (var position = 0; position < length;)
            {
                var part = block.AsMemory(0, Math.Min(length - position, random.Next(1, block.Length)));
                random.NextBytes(part.Span);
                hash.AppendData(part.Span);
                await from.WriteAsync(part);
                if (position < pause && position + part.Length >= pause) atPause!();
                position += part.Length;
            }

            await from.CompleteWritesAsync();
            return Convert.ToHexString(hash.GetHashAndReset());
        }

        async Task<string> ReceiveAsync()
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[100_000];
            while (await to.ReadAsync(buffer) is > 0 and var read) hash.AppendData(buffer.AsSpan(0, read));
            return Convert.ToHexString(hash.GetHashAndReset());
        }
    }
}
