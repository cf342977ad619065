using System.Runtime.InteropServices;

namespace Bondline.Lab;

/// <summary>Packets in the order they came, each with the time it is due, in one block of native memory: nothing is allocated per packet.</summary>
/// <remarks>Not thread safe. The block is mapped on first use only, and starts over whenever the queue is empty, so a short queue stays in the cache.</remarks>
internal sealed unsafe class PacketQueue : IDisposable
{
    private const int HeaderLength = 16;

    private readonly byte* _block;
    private readonly long _capacity;
    private long _head, _tail; // where the next packet is taken and put; equal only when empty
    private int _count;

    public PacketQueue(long capacityBytes)
    {
        _capacity = capacityBytes;
        _block = (byte*)NativeMemory.Alloc((nuint)capacityBytes);
    }

    public int Count => _count;

    /// <summary>Room for a packet of at most <paramref name="maxLength"/> bytes at the end; empty if there is none.</summary>
    public Span<byte> Reserve(int maxLength)
    {
        var needed = HeaderLength + maxLength + 8;
        if (_count == 0) _head = _tail = 0;
        if (_tail >= _head || _count == 0)
        {
            if (_capacity - _tail < needed)
            {
                if (_head <= needed) return default;
                if (_capacity - _tail >= HeaderLength) *(int*)(_block + _tail + 8) = -1; // the rest of the block is skipped
                _tail = 0;
            }
        }
        else if (_head - _tail <= needed)
        {
            return default;
        }
        return new(_block + _tail + HeaderLength, maxLength);
    }

    /// <summary>Queues what was written to the room <see cref="Reserve"/> gave.</summary>
    public void Commit(int length, long due)
    {
        *(long*)(_block + _tail) = due;
        *(int*)(_block + _tail + 8) = length;
        _tail += (HeaderLength + length + 7) & ~7;
        _count++;
    }

    /// <summary>When the first packet is due; <see cref="long.MaxValue"/> if there is none.</summary>
    public long NextDue
    {
        get
        {
            if (_count == 0) return long.MaxValue;
            SkipGap();
            return *(long*)(_block + _head);
        }
    }

    /// <summary>The first packet; valid until the queue is used again. Only if there is one.</summary>
    public Span<byte> First
    {
        get
        {
            SkipGap();
            return new(_block + _head + HeaderLength, *(int*)(_block + _head + 8));
        }
    }

    public void RemoveFirst()
    {
        SkipGap();
        _head += (HeaderLength + *(int*)(_block + _head + 8) + 7) & ~7;
        _count--;
    }

    public void Clear()
    {
        _count = 0;
        _head = _tail = 0;
    }

    public void Dispose() => NativeMemory.Free(_block);

    private void SkipGap()
    {
        if (_capacity - _head < HeaderLength || *(int*)(_block + _head + 8) < 0) _head = 0;
    }
}
