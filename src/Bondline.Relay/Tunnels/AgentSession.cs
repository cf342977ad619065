using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Channels;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>One bond of an agent: serves its control stream for as long as it lasts, then closes its tunnels.</summary>
internal sealed class AgentSession(RelayBond bond, TunnelTable tunnels, ILogger log) : ITunnelHolder
{
    // Every request has one answer, and a tunnel is taken over once: an agent that reads has far fewer waiting.
    private const int MaxWaitingAnswers = 2 * TunnelTable.LimitPerBond;

    private readonly Channel<ControlMessage> _answers = Channel.CreateBounded<ControlMessage>(new BoundedChannelOptions(MaxWaitingAnswers) { SingleReader = true });

    // Not the bond's own token: what hangs on this one is many sockets to close, which is not the transport's to wait for.
    // Never disposed: a visitor may register when it is all over, and it holds no timer.
    private readonly CancellationTokenSource _over = new();

    public object Bond => bond.Id;

    public string TokenId => bond.TokenId;

    public Guid Instance => bond.Instance;

    public DateTimeOffset Since => bond.Since;

    public bool IsSilent => bond.SilentFor is not null;

    public CancellationToken Over => _over.Token;

    public ValueTask<BondStream> OpenStreamAsync(StreamHeader header, CancellationToken cancellationToken) => bond.OpenStreamAsync(header, cancellationToken);

    public void TellSuperseded(TunnelSuperseded message)
    {
        if (!_answers.Writer.TryWrite(message)) log.AgentMisbehaved(bond.Id, "it does not read its control stream");
    }

    /// <summary>Runs until the bond is over.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        Task? control = null;
        try
        {
            while (await bond.AcceptStreamAsync(stop) is { } stream)
            {
                if (stream.Header.Kind == StreamKind.Control && control is null) control = ControlAsync(stream, stop);
                else stream.Abort(StreamError.Refused); // agents open no others
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The bond is over.
        }
        finally
        {
            _answers.Writer.TryComplete();
            if (control is not null) await control;
            await tunnels.RemoveAsync(this);
            await _over.CancelAsync();
        }
    }

    private async Task ControlAsync(BondStream stream, CancellationToken stop)
    {
        var answering = AnswerAsync(stream, stop);
        try
        {
            await ReadAsync(stream, stop);
            await stream.CompleteWritesAsync(stop);
        }
        catch (ProtocolException error)
        {
            log.AgentMisbehaved(bond.Id, error.Message);
            await bond.CloseAsync(error.Error, error.Message);
        }
        catch (Exception error) when (error is BondStreamException or OperationCanceledException)
        {
            // The bond is over, or the agent gave up its control stream: its tunnels go either way.
        }
        finally
        {
            _answers.Writer.TryComplete();
            await answering;
            await tunnels.RemoveAsync(this);
            stream.Abort(StreamError.Cancelled);
        }
    }

    private async Task ReadAsync(BondStream stream, CancellationToken stop)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true, useZeroByteReads: true));
        try
        {
            while (true)
            {
                var result = await reader.ReadAsync(stop);
                var input = result.Buffer;
                while (ControlCodec.TryRead(ref input, out var message))
                    if (message is not null) await HandleAsync(message, stop);
                reader.AdvanceTo(input.Start, input.End);
                if (result.IsCompleted) return;
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }
    }

    private async Task HandleAsync(ControlMessage message, CancellationToken stop)
    {
        switch (message)
        {
            case RegisterTunnel request:
                await _answers.Writer.WriteAsync(await tunnels.RegisterAsync(this, request), stop);
                break;
            case UnregisterTunnel request:
                await tunnels.UnregisterAsync(this, request.Tunnel);
                break;
            default:
                throw new ProtocolException(ProtocolError.FrameOutOfState, $"{message.GetType().Name} is not for an agent to send.");
        }
    }

    private async Task AnswerAsync(BondStream stream, CancellationToken stop)
    {
        var buffer = new ArrayBufferWriter<byte>();
        try
        {
            await foreach (var answer in _answers.Reader.ReadAllAsync(stop))
            {
                ControlCodec.Write(answer, buffer);
                await stream.WriteAsync(buffer.WrittenMemory, stop);
                buffer.ResetWrittenCount();
            }
        }
        catch (Exception error) when (error is BondStreamException or OperationCanceledException)
        {
            // The reading side ends by the same and says so.
        }
    }
}
