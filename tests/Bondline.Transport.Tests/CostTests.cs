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
        Assert.InRange(await LeastAllocatedAsync(() => Task.WhenAll(Task.Run(WriteAsync), Task.Run(ReadAsync))) / (Length / FrameLength), 0, MostBytesPerFrame);

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
    public async Task Small_messages_allocate_nothing_each()
    {
        const int Messages = 10_000;
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        await using var near = await link.Agent.OpenStreamAsync(Header);
        await using var far = (await link.Relay.AcceptStreamAsync(CancellationToken.None))!;
        byte[] asked = new byte[64], answered = new byte[64];
        Assert.InRange(await LeastAllocatedAsync(() => Task.WhenAll(Task.Run(AskAsync), Task.Run(AnswerAsync))) / Messages, 0, 2 * MostBytesPerFrame);

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

    /// <summary>What accidents of the thread pool and the compiler add differs from run to run; what every frame costs is in all of them.</summary>
    private static async Task<long> LeastAllocatedAsync(Func<Task> run)
    {
        await run().WaitAsync(LoopbackPair.Patience);
        var least = long.MaxValue;
        for (var i = 0; i < 5; i++)
        {
            var before = GC.GetTotalAllocatedBytes();
            await run().WaitAsync(LoopbackPair.Patience);
            least = Math.Min(least, GC.GetTotalAllocatedBytes() - before);
        }

        return least;
    }
}
