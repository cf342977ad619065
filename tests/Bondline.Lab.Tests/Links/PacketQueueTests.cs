using Xunit;

namespace Bondline.Lab.Tests;

public class PacketQueueTests
{
    [Fact]
    public void Packets_come_out_in_order_with_their_bytes_and_times_whatever_their_lengths()
    {
        using var queue = new PacketQueue(20_000);
        var random = new Random(5);
        long put = 0, taken = 0, refused = 0;
        for (var step = 0; step < 50_000; step++)
        {
            if (random.Next(2) == 0)
            {
                var room = queue.Reserve(1500);
                if (room.IsEmpty)
                {
                    refused++;
                    continue;
                }
                if (random.Next(10) == 0) continue; // reserved and not used: nothing was waiting
                var length = LengthOf(put);
                room[..length].Fill((byte)put);
                queue.Commit(length, put++);
            }
            else if (queue.Count > 0)
            {
                Assert.Equal(taken, queue.NextDue);
                var packet = queue.First;
                Assert.Equal(LengthOf(taken), packet.Length);
                Assert.False(packet.ContainsAnyExcept((byte)taken));
                queue.RemoveFirst();
                taken++;
            }
        }
        Assert.Equal(put - taken, queue.Count);
        Assert.True(taken > 10_000 && refused > 100, $"{taken} taken, {refused} refused: the queue never filled up");
    }

    [Fact]
    public void An_empty_queue_has_nothing_due_and_room_again()
    {
        using var queue = new PacketQueue(4000);
        while (!queue.Reserve(1500).IsEmpty) queue.Commit(1500, 1);
        Assert.Equal(2, queue.Count);
        queue.Clear();
        Assert.Equal(long.MaxValue, queue.NextDue);
        Assert.Equal(1500, queue.Reserve(1500).Length);
    }

    private static int LengthOf(long number) => 1 + (int)(number * 7919 % 1500);
}
