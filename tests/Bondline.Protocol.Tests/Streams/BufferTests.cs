using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Streams;

/// <summary>The buffers of a stream against the simplest model of each, over random operations.</summary>
public sealed class BufferTests
{
    [Fact]
    public void Ranges_are_what_a_row_of_flags_says()
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            var random = new SeededRandom(seed);
            var set = new RangeSet();
            var flags = new bool[400];
            var low = 0;
            for (var step = 0; step < 60; step++)
            {
                var start = random.Below(380);
                var end = start + random.Below(20);
                var added = 0;
                for (var i = start; i < end; i++)
                {
                    if (!flags[i]) added++;
                    flags[i] = true;
                }
                Assert.Equal((ulong)added, set.Add((ulong)start, (ulong)end));
                var from = random.Below(400);
                var to = from + random.Below(400 - from);
                var missing = Enumerable.Range(from, to - from).FirstOrDefault(i => !flags[i], to);
                var (foundStart, foundEnd) = set.FirstMissing((ulong)from, (ulong)to);
                Assert.True(foundStart == (ulong)missing, $"seed {seed}: missing from {foundStart}, not {missing}");
                for (var i = (int)foundStart; i < (int)foundEnd; i++) Assert.False(flags[i]);
                if (step % 10 != 9) continue;
                var taken = (int)set.TakeFrom((ulong)low);
                while (low < flags.Length && flags[low]) low++;
                Assert.Equal(low, taken);
                for (var i = 0; i < low; i++) flags[i] = true; // below the mark everything counts as known
                set.Add(0, (ulong)low);
                set.TakeFrom(0);
                set.Add(0, (ulong)low);
            }
        }
    }

    [Fact]
    public void Bytes_come_out_once_and_in_order_whatever_comes_in()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            var random = new SeededRandom(seed);
            var pool = new SegmentPool();
            var buffer = new ReceiveBuffer(pool);
            const int total = 100_000;
            var known = new bool[total];
            long read = 0;
            var bytes = new byte[20_000];
            while (read < total)
            {
                var offset = random.Chance(0.5) ? (int)read + random.Below(Math.Min(30_000, total - (int)read)) : (int)buffer.Contiguous % total;
                Insert(offset, 1 + random.Below(bytes.Length));
                if (random.Chance(0.4)) continue;
                var count = 0;
                if (random.Chance(0.5))
                {
                    count = buffer.Read(bytes.AsSpan(0, 1 + random.Below(bytes.Length)));
                }
                else
                {
                    var parts = new List<ArraySegment<byte>>();
                    var taken = buffer.Take(parts, 1 + random.Below(2));
                    Insert((int)read + taken, random.Below(3000)); // into what is left of a segment that was taken
                    foreach (var part in parts)
                    {
                        part.AsSpan().CopyTo(bytes.AsSpan(count));
                        count += part.Count;
                        pool.Return(part.Array!);
                    }
                    Assert.Equal(taken, count);
                }
                Assert.True(Pattern.Matches(7, read, bytes.AsSpan(0, count)), $"seed {seed}: wrong bytes at {read}");
                read += count;
            }
            Assert.Equal(0, pool.RentedBytes);

            void Insert(int offset, int length)
            {
                length = Math.Min(length, total - offset);
                Pattern.Fill(7, offset, bytes.AsSpan(0, length));
                var added = 0;
                for (var i = offset; i < offset + length; i++)
                {
                    if (!known[i]) added++;
                    known[i] = true;
                }
                Assert.Equal(added, buffer.Insert((ulong)offset, bytes.AsSpan(0, length)));
            }
        }
    }

    [Fact]
    public void A_send_buffer_gives_any_part_it_still_holds()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            var random = new SeededRandom(seed);
            var pool = new SegmentPool();
            var buffer = new SendBuffer(pool);
            var bytes = new byte[100_000];
            for (var step = 0; step < 50; step++)
            {
                var length = (int)random.Spread(1, bytes.Length);
                if (random.Chance(0.3))
                {
                    var segment = pool.Rent(SegmentPool.LargeLength);
                    length = Math.Min(length, segment.Length);
                    Pattern.Fill(9, (long)buffer.End, segment.AsSpan(0, length));
                    buffer.AppendSegment(segment, length);
                }
                else
                {
                    Pattern.Fill(9, (long)buffer.End, bytes.AsSpan(0, length));
                    buffer.Append(bytes.AsSpan(0, length));
                }
                var held = (int)(buffer.End - buffer.Start);
                Assert.InRange(pool.RentedBytes - buffer.HeldBytes, 0, 2 * SegmentPool.LargeLength); // the front of the first and the end of the last
                var from = random.Below(held);
                var part = Math.Min(bytes.Length, random.Below(held - from) + 1);
                buffer.CopyTo(buffer.Start + (ulong)from, bytes.AsSpan(0, part));
                Assert.True(Pattern.Matches(9, (long)buffer.Start + from, bytes.AsSpan(0, part)), $"seed {seed}: wrong bytes at {buffer.Start} + {from}");
                if (random.Chance(0.7)) buffer.ReleaseBefore(buffer.Start + (ulong)random.Below(held + 1));
            }
            buffer.ReleaseBefore(buffer.End);
            Assert.Equal((0, 0), (pool.RentedBytes, buffer.HeldBytes));
        }
    }
}
