using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Channels;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>One bond of an agent: serves its control stream for as long as it lasts, then closes its tunnels.</summary>
internal sealed class AgentSession : ITunnelHolder
{
    // Every request has one answer, and a tunnel is taken over once: an agent that reads has far fewer waiting.
    private const int MaxWaitingAnswers = 2 * TunnelTable.LimitPerBond;

    private readonly Channel<ControlMessage> _answers = Channel.CreateBounded<ControlMessage>(new BoundedChannelOptions(MaxWaitingAnswers) { SingleReader = true });

    // Not the bond's own token: what hangs on this one is many sockets to close, which is not the transport's to wait for.
    // Never disposed: a visitor may register when it is all over, and it holds no timer.
    private readonly CancellationTokenSource _over = new();
    private readonly RelayBond _bond;
    private readonly TunnelTable _tunnels;
    private readonly ILogger _log;

    public AgentSession(RelayBond bond, TunnelTable tunnels, TimeProvider time, ILogger log)
    {
        (_bond, _tunnels, _log) = (bond, tunnels, log);
        Requests = new(TryTell, time);
    }

    public RequestFeed Requests { get; }

    public object Bond => _bond.Id;

    public string TokenId => _bond.TokenId;

    public Guid Instance => _bond.Instance;

    public DateTimeOffset Since => _bond.Since;

    public TimeSpan? SilentFor => _bond.SilentFor;

    public CancellationToken Over => _over.Token;

    public ValueTask<BondStream> OpenStreamAsync(StreamHeader header, CancellationToken cancellationToken) => _bond.OpenStreamAsync(header, cancellationToken);

    public void TellSuperseded(TunnelSuperseded message)
    {
        if (!_answers.Writer.TryWrite(message)) _log.AgentMisbehaved(_bond.Id, "it does not read its control stream");
    }

    /// <summary>Runs until the bond is over.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        Task? control = null;
        try
        {
            while (await _bond.AcceptStreamAsync(stop) is { } stream)
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
            Requests.Dispose();
            await _tunnels.RemoveAsync(this);
            await _over.CancelAsync();
        }
    }

    private async Task ControlAsync(BondStream stream, CancellationToken stop)
    {
        var answering = GuardAsync(AnswerAsync(stream, stop));
        try
        {
            await GuardAsync(ReadAsync(stream, stop));
        }
        finally
        {
            _answers.Writer.TryComplete();
            await answering;
            await _tunnels.RemoveAsync(this);
            stream.Abort(StreamError.Cancelled);
        }
    }

    /// <summary>Ends the bond where one direction of its control stream failed: without that stream nobody could ask for tunnels, and the agent opens another bond.</summary>
    private async Task GuardAsync(Task direction)
    {
        try
        {
            await direction;
        }
        catch (ProtocolException error)
        {
            _log.AgentMisbehaved(_bond.Id, error.Message);
            await _bond.CloseAsync(error.Error, error.Message);
        }
        catch (Exception error) when (error is BondStreamException or OperationCanceledException or ChannelClosedException)
        {
            // The bond is over, or the agent gave up its control stream: its tunnels go either way.
        }
        catch (Exception bug)
        {
            _log.ControlStreamFailed(_bond.Id, bug);
            await _bond.CloseAsync(ProtocolError.Internal, "The relay failed to serve this agent; its log says more.");
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
                if (result.IsCompleted) break;
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }
        await stream.CompleteWritesAsync(stop);
    }

    private async Task HandleAsync(ControlMessage message, CancellationToken stop)
    {
        switch (message)
        {
            case RegisterTunnel request:
                await _answers.Writer.WriteAsync(await _tunnels.RegisterAsync(this, request), stop);
                break;
            case UnregisterTunnel request:
                await _tunnels.UnregisterAsync(this, request.Tunnel);
                break;
            case WatchRequests:
                Requests.Watch();
                break;
            default:
                throw new ProtocolException(ProtocolError.FrameOutOfState, $"{message.GetType().Name} is not for an agent to send.");
        }
    }

    // What was asked for goes before what is only shown: half of the room is kept for answers.
    private bool TryTell(ControlMessage message) => _answers.Reader.Count < MaxWaitingAnswers / 2 && _answers.Writer.TryWrite(message);

    private async Task AnswerAsync(BondStream stream, CancellationToken stop)
    {
        var buffer = new ArrayBufferWriter<byte>();
        await foreach (var answer in _answers.Reader.ReadAllAsync(stop))
        {
            ControlCodec.Write(answer, buffer);
            await stream.WriteAsync(buffer.WrittenMemory, stop);
            buffer.ResetWrittenCount();
        }
    }
}
