using System.IO.Pipelines;
using System.Net;
using System.Threading.Channels;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Bondline.Agent;

/// <summary>A visitor's stream as a connection of Kestrel's.</summary>
internal sealed class StreamConnection : ConnectionContext, IDuplexPipe
{
    private readonly BondStream _stream;
    private readonly CancellationTokenSource _closed = new(); // never disposed: Kestrel looks at it late, and it holds no timer
    private readonly TaskCompletionSource _served = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isAborted;

    public StreamConnection(BondStream stream)
    {
        _stream = stream;
        Input = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true, useZeroByteReads: true));
        Output = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        Transport = this;
        ConnectionClosed = _closed.Token;
        Watch = WatchAsync();
    }

    public PipeReader Input { get; }

    public PipeWriter Output { get; }

    public override IDuplexPipe Transport { get; set; }

    public override string ConnectionId { get; set; } = "";

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

    /// <summary>Completes when Kestrel has let go of it.</summary>
    public Task Served => _served.Task;

    private Task Watch { get; }

    public override void Abort(ConnectionAbortedException abortReason)
    {
        _isAborted = true;
        _stream.Abort(StreamError.LocalReset);
    }

    public override async ValueTask DisposeAsync()
    {
        try
        {
            if (!_isAborted) await _stream.CompleteWritesAsync();
        }
        catch (BondStreamException) // the visitor or the bond is gone
        {
        }
        await _stream.DisposeAsync();
        _served.TrySetResult();
    }

    private async Task WatchAsync()
    {
        await _stream.Closed;
        await _closed.CancelAsync();
    }
}

/// <summary>Hands visitors' streams to Kestrel as they come.</summary>
internal sealed class StreamListener : IConnectionListenerFactory, IConnectionListenerFactorySelector, IConnectionListener
{
    private readonly Channel<StreamConnection> _arrivals = Channel.CreateUnbounded<StreamConnection>(); // the bond limits its streams

    public EndPoint EndPoint { get; } = new StreamEndPoint();

    public bool CanBind(EndPoint endpoint) => endpoint == EndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(this);

    /// <returns>False if it takes no more.</returns>
    public bool TryOffer(StreamConnection connection) => _arrivals.Writer.TryWrite(connection);

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _arrivals.Reader.WaitToReadAsync(cancellationToken))
            if (_arrivals.Reader.TryRead(out var connection)) return connection;
        return null;
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _arrivals.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        _arrivals.Writer.TryComplete();
        while (_arrivals.Reader.TryRead(out var connection)) await connection.DisposeAsync();
    }

    private sealed class StreamEndPoint : EndPoint;
}
