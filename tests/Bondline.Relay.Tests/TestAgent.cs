using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Channels;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Relay.Tests;

/// <summary>The least agent there can be: a real bond to a relay, whose visitors' streams the test serves itself.</summary>
internal sealed class TestAgent : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly CancellationTokenSource _stop = new();
    private readonly AgentLink _link;
    private readonly Task _running;
    private readonly Channel<ControlMessage> _answers = Channel.CreateUnbounded<ControlMessage>();
    private readonly Func<BondStream, Task> _serve;
    private readonly RegisterTunnel[] _tunnels;
    private BondStream? _control;

    /// <param name="join">The relay and our token.</param>
    /// <param name="serve">Serves a visitor's stream.</param>
    /// <param name="tunnels">Asked for on every bond.</param>
    /// <param name="instance">Default null: a new one.</param>
    public TestAgent(JoinUrl join, Func<BondStream, Task> serve, RegisterTunnel[] tunnels, Guid? instance = null)
    {
        _serve = serve;
        _tunnels = tunnels;
        Instance = instance ?? Guid.NewGuid();
        _link = new AgentLink(new AgentLinkOptions { Join = join, Instance = Instance });
        _running = _link.RunAsync(ServeBondAsync, _stop.Token);
    }

    public Guid Instance { get; }

    /// <summary>Ends when the link does; faults if the relay refused it.</summary>
    public Task Completion => _running;

    /// <summary>The next thing the relay says.</summary>
    /// <exception cref="TimeoutException">It says nothing.</exception>
    public async Task<T> NextAsync<T>() where T : ControlMessage
    {
        var next = _answers.Reader.ReadAsync().AsTask();
        if (await Task.WhenAny(next, _running).WaitAsync(Patience) == _running) await _running;
        return Xunit.Assert.IsType<T>(await next);
    }

    public async Task SendAsync(ControlMessage message)
    {
        var line = new ArrayBufferWriter<byte>();
        ControlCodec.Write(message, line);
        await SendAsync(line.WrittenMemory);
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _control!.WriteAsync(bytes);

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return; // a test may end it early
        await _stop.CancelAsync();
        try
        {
            await _running.WaitAsync(Patience);
        }
        catch (BondRefusedException) // what some tests are about
        {
        }
        await _link.DisposeAsync();
    }

    private async Task ServeBondAsync(AgentBond bond, CancellationToken over)
    {
        _control = await bond.OpenStreamAsync(new StreamHeader { Kind = StreamKind.Control }, over);
        var serving = new List<Task> { ReadControlAsync(_control) };
        foreach (var tunnel in _tunnels) await SendAsync(tunnel);
        while (await bond.AcceptStreamAsync(over) is { } stream) serving.Add(ServeStreamAsync(stream));
        await Task.WhenAll(serving);
    }

    private async Task ServeStreamAsync(BondStream stream)
    {
        try
        {
            await _serve(stream);
        }
        catch (BondStreamException) // the visitor or the bond is gone, which the test sees elsewhere
        {
        }
        await stream.DisposeAsync();
    }

    private async Task ReadControlAsync(BondStream stream)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        try
        {
            while (true)
            {
                var result = await reader.ReadAsync();
                var input = result.Buffer;
                while (ControlCodec.TryRead(ref input, out var message))
                    if (message is not null) await _answers.Writer.WriteAsync(message);
                reader.AdvanceTo(input.Start, input.End);
                if (result.IsCompleted) return;
            }
        }
        catch (BondStreamException) // the bond is over
        {
        }
    }
}
