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

    private readonly CancellationTokenSource stop = new();
    private readonly AgentLink link;
    private readonly Task running;
    private readonly Channel<ControlMessage> answers = Channel.CreateUnbounded<ControlMessage>();
    private readonly Func<BondStream, Task> serve;
    private readonly RegisterTunnel[] tunnels;
    private BondStream? control;

    /// <param name="join">The relay and our token.</param>
    /// <param name="serve">Serves a visitor's stream.</param>
    /// <param name="tunnels">Asked for on every bond.</param>
    /// <param name="instance">Default null: a new one.</param>
    public TestAgent(JoinUrl join, Func<BondStream, Task> serve, RegisterTunnel[] tunnels, Guid? instance = null)
    {
        this.serve = serve;
        this.tunnels = tunnels;
        Instance = instance ?? Guid.NewGuid();
        link = new AgentLink(new AgentLinkOptions { Join = join, Instance = Instance });
        running = link.RunAsync(ServeBondAsync, stop.Token);
    }

    public Guid Instance { get; }

    /// <summary>Ends when the link does; faults if the relay refused it.</summary>
    public Task Completion => running;

    /// <summary>The next thing the relay says.</summary>
    /// <exception cref="TimeoutException">It says nothing.</exception>
    public async Task<T> NextAsync<T>() where T : ControlMessage
    {
        var next = answers.Reader.ReadAsync().AsTask();
        if (await Task.WhenAny(next, running).WaitAsync(Patience) == running) await running;
        return Xunit.Assert.IsType<T>(await next);
    }

    public async Task SendAsync(ControlMessage message)
    {
        var line = new ArrayBufferWriter<byte>();
        ControlCodec.Write(message, line);
        await SendAsync(line.WrittenMemory);
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await control!.WriteAsync(bytes);

    public async ValueTask DisposeAsync()
    {
        if (stop.IsCancellationRequested) return; // a test may end it early
        await stop.CancelAsync();
        try
        {
            await running.WaitAsync(Patience);
        }
        catch (BondRefusedException) // what some tests are about
        {
        }
        await link.DisposeAsync();
    }

    private async Task ServeBondAsync(AgentBond bond, CancellationToken over)
    {
        control = await bond.OpenStreamAsync(new StreamHeader { Kind = StreamKind.Control }, over);
        var serving = new List<Task> { ReadControlAsync(control) };
        foreach (var tunnel in tunnels) await SendAsync(tunnel);
        while (await bond.AcceptStreamAsync(over) is { } stream) serving.Add(ServeStreamAsync(stream));
        await Task.WhenAll(serving);
    }

    private async Task ServeStreamAsync(BondStream stream)
    {
        try
        {
            await serve(stream);
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
                    if (message is not null) await answers.Writer.WriteAsync(message);
                reader.AdvanceTo(input.Start, input.End);
                if (result.IsCompleted) return;
            }
        }
        catch (BondStreamException) // the bond is over
        {
        }
    }
}
