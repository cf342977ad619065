using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

/// <summary>What carrying costs in memory. Alone in its process while it runs: allocations are counted over all threads.</summary>
[Collection(nameof(CostTests))]
[CollectionDefinition(nameof(CostTests), DisableParallelization = true)]
public sealed class CostTests
{
#if DEBUG
    private const int MostBytesPerFrame = 4096; // unoptimized async methods allocate each time
#else
    private const int MostBytesPerFrame = 24; // the smallest object
#endif

    /// <summary>Pools fill up to what was ever in use at once, so the first runs allocate.</summary>
    private const int MostRuns = 20;

    private static readonly StreamHeader Header = new() { Kind = StreamKind.Tcp };

    [Fact]
    public async Task Bulk_allocates_nothing_per_frame()
    {
        const int Length = 64 << 20, Block = 128 << 10, FrameLength = 16 << 10;
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = (await link.Relay.AcceptStreamAsync(CancellationToken.None))!;
        byte[] written = new byte[Block], read = new byte[Block];
        Assert.InRange(await LeastAllocatedAsync(Length / FrameLength, () => Task.WhenAll(Task.Run(WriteAsync), Task.Run(ReadAsync))), 0, MostBytesPerFrame);

        async Task WriteAsync()
        {
            for (var left = Length; left > 0; left -= Block) await near.WriteAsync(written);
        }

        async Task ReadAsync()
        {
            for (var left = Length; left > 0;) left -= await far.ReadAsync(read.AsMemory(0, Math.Min(left, Block)));
        }
    }

    [Fact]
    public async Task Bulk_between_sockets_allocates_nothing_per_frame()
    {
        const int Length = 64 << 20, FrameLength = 16 << 10;
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = (await link.Relay.AcceptStreamAsync(CancellationToken.None))!;
        var (service, served) = await ConnectAsync();
        var (visitor, visited) = await ConnectAsync();
        using var sockets = new Sockets(service, served, visitor, visited);
        var toStream = Task.Run(new SocketCopy(served, near, TimeProvider.System).ToStreamAsync); // on the thread pool, as in the program
        var toSocket = Task.Run(new SocketCopy(visited, far, TimeProvider.System).ToSocketAsync);
        byte[] written = new byte[FrameLength * 8], read = new byte[FrameLength * 8];
        Assert.InRange(await LeastAllocatedAsync(Length / FrameLength, () => Task.WhenAll(Task.Run(Write), Task.Run(Read))), 0, MostBytesPerFrame);
        service.Shutdown(SocketShutdown.Send);
        await toStream.WaitAsync(LoopbackPair.Patience);
        await near.CompleteWritesAsync();
        await toSocket.WaitAsync(LoopbackPair.Patience);

        void Write()
        {
            for (var left = Length; left > 0; left -= written.Length) service.Send(written);
        }

        void Read()
        {
            for (var left = Length; left > 0;) left -= visitor.Receive(read.AsSpan(0, Math.Min(left, read.Length)));
        }
    }

    [Fact]
    public async Task Small_messages_allocate_nothing_each()
    {
        const int Messages = 10_000;
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = (await link.Relay.AcceptStreamAsync(CancellationToken.None))!;
        byte[] asked = new byte[64], answered = new byte[64];
        Assert.InRange(await LeastAllocatedAsync(Messages, () => Task.WhenAll(Task.Run(AskAsync), Task.Run(AnswerAsync))), 0, 2 * MostBytesPerFrame);

        async Task AskAsync()
        {
            for (var i = 0; i < Messages; i++)
            {
                await near.WriteAsync(asked);
                await near.ReadExactlyAsync(asked);
            }
        }

        async Task AnswerAsync()
        {
            for (var i = 0; i < Messages; i++)
            {
                await far.ReadExactlyAsync(answered);
                await far.WriteAsync(answered);
            }
        }
    }

    [Fact]
    public async Task Two_thousand_idle_streams_cost_four_kilobytes_each_at_both_ends_together()
    {
        const int First = 200, Number = 2000;
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        var kept = new List<object>();
        await OpenAsync(First);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await OpenAsync(Number);
        Assert.InRange((GC.GetTotalMemory(forceFullCollection: true) - before) / Number, 1, 4096);
        GC.KeepAlive(kept);

        async Task OpenAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                var near = await link.Relay.OpenStreamAsync(Header);
                var far = (await link.Agent.AcceptStreamAsync(CancellationToken.None))!;
                kept.AddRange([near, far, near.ReadAsync(Memory<byte>.Empty).AsTask(), far.ReadAsync(Memory<byte>.Empty).AsTask()]);
            }
        }
    }

    private static async Task<(Socket Near, Socket Far)> ConnectAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var near = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await near.ConnectAsync(listener.LocalEndPoint!);
        return (near, await listener.AcceptAsync());
    }

    private sealed class Sockets(params Socket[] all) : IDisposable
    {
        public void Dispose() => Array.ForEach(all, each => each.Dispose());
    }

    /// <summary>What accidents of the thread pool and the compiler add differs from run to run; what every frame costs is in all of them.</summary>
    private static async Task<long> LeastAllocatedAsync(int parts, Func<Task> run)
    {
        await run().WaitAsync(LoopbackPair.Patience);
        var least = long.MaxValue;
        for (var i = 0; i < MostRuns && least > MostBytesPerFrame; i++)
        {
            var before = GC.GetTotalAllocatedBytes();
            await run().WaitAsync(LoopbackPair.Patience);
            least = Math.Min(least, (GC.GetTotalAllocatedBytes() - before) / parts);
        }

        return least;
    }
}
