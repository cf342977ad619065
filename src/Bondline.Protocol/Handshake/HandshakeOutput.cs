namespace Bondline.Protocol;

/// <summary>Frames of a handshake that wait to be sent.</summary>
internal sealed class HandshakeOutput
{
    private readonly Queue<byte[]> _frames = new();
    private int _sent; // of the first

    public void Add(byte[] frame) => _frames.Enqueue(frame);

    /// <summary>Takes back the frame added last, of which nothing was sent.</summary>
    public void RemoveLast()
    {
        var kept = _frames.Count - 1;
        for (var i = 0; i < kept; i++) _frames.Enqueue(_frames.Dequeue());
        _frames.Dequeue();
    }

    public bool IsEmpty => _frames.Count == 0;

    public int CopyTo(Span<byte> destination)
    {
        var total = 0;
        while (total < destination.Length && _frames.TryPeek(out var frame))
        {
            var length = Math.Min(destination.Length - total, frame.Length - _sent);
            frame.AsSpan(_sent, length).CopyTo(destination[total..]);
            total += length;
            _sent += length;
            if (_sent < frame.Length) break;
            _frames.Dequeue();
            _sent = 0;
        }
        return total;
    }
}
