using System.Buffers;
using System.IO.Pipelines;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Agent;

/// <summary>The control stream of a bond: messages to and from the relay.</summary>
internal sealed class ControlChannel(BondStream stream) : IAsyncDisposable
{
    private readonly PipeReader _reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true, useZeroByteReads: true));
    private readonly SemaphoreSlim _writing = new(1);

    public async Task SendAsync(ControlMessage message, CancellationToken stop)
    {
        var line = new ArrayBufferWriter<byte>();
        ControlCodec.Write(message, line);
        await _writing.WaitAsync(stop);
        try
        {
            await stream.WriteAsync(line.WrittenMemory, stop);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <returns>Null when the relay closed the stream.</returns>
    /// <exception cref="ProtocolException">The relay sent something that is no message.</exception>
    public async Task<ControlMessage?> ReceiveAsync(CancellationToken stop)
    {
        while (true)
        {
            var result = await _reader.ReadAsync(stop);
            var input = result.Buffer;
            var isRead = ControlCodec.TryRead(ref input, out var message);
            _reader.AdvanceTo(input.Start, isRead ? input.Start : input.End);
            if (message is not null) return message;
            if (!isRead && result.IsCompleted) return null; // a line that was read without a message is of a type from a later version
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _reader.CompleteAsync();
        await stream.DisposeAsync();
        _writing.Dispose();
    }
}
