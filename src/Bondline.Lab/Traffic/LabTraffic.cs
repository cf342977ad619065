using System.Globalization;
using System.Text.Json;
using Bondline.Linux;

namespace Bondline.Lab;

/// <summary>A running <see cref="TrafficProgram"/> in a namespace of a lab.</summary>
public sealed class LabTraffic : IAsyncDisposable
{
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(30);

    private readonly LabProcess _process;
    private readonly Queue<TrafficEvent> _unread = [];

    private LabTraffic(LabProcess process) => _process = process;

    /// <summary>Where it listens; 0 if it connects.</summary>
    public int Port { get; private set; }

    public LabProcess Process => _process;

    /// <summary>Starts it and waits until it listens or is connected. A namespace of null: where this process is. <paramref name="isMultipath"/>: under <c>bondline run</c>, so that its sockets are kernel MPTCP.</summary>
    /// <exception cref="LabException">It could not listen or connect.</exception>
    public static async Task<LabTraffic> StartAsync(string program, NetworkNamespace? inside, TrafficOptions options, bool isMultipath = false)
    {
        string[] arguments = ["lab", "traffic", .. options.Arguments()];
        var traffic = new LabTraffic(isMultipath ? LabProcess.Start(inside, program, ["run", "--quiet", "--", program, .. arguments]) : LabProcess.Start(inside, program, arguments));
        try
        {
            var ready = await traffic.WaitForAsync(options.Listen is null ? "connected" : "listening", AnswerLimit);
            traffic.Port = ready.Port ?? 0;
            return traffic;
        }
        catch
        {
            await traffic.DisposeAsync();
            throw;
        }
    }

    /// <summary>What happened since the last report.</summary>
    /// <param name="atLeast">Wait until this many records or pings, or bytes of bulk, have come.</param>
    /// <param name="lasting">Wait until this long after the last report.</param>
    public async Task<TrafficEvent> ReportAsync(long atLeast = 0, TimeSpan lasting = default)
    {
        await _process.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"report {atLeast} {lasting.TotalMilliseconds:0}"));
        return await WaitForAsync("report", AnswerLimit + lasting);
    }

    /// <summary>Waits for an event: "connected" of a listener, "finished" of a bulk end.</summary>
    /// <exception cref="LabException">The program reported an error or ended, or the limit passed.</exception>
    public async Task<TrafficEvent> WaitForAsync(string name, TimeSpan limit)
    {
        for (var i = _unread.Count; i > 0; i--)
        {
            var kept = _unread.Dequeue();
            if (kept.Event == name) return kept;
            _unread.Enqueue(kept);
        }
        using var late = new CancellationTokenSource(limit);
        try
        {
            while (await _process.ReadLineAsync(late.Token) is { } line)
            {
                var next = JsonSerializer.Deserialize(line, TrafficJson.Default.TrafficEvent) ?? throw new LabException("The traffic program printed null.");
                if (next.Event == "error") throw new LabException($"The traffic program failed: {next.Message}");
                if (next.Event == name) return next;
                _unread.Enqueue(next);
            }
        }
        catch (OperationCanceledException)
        {
            throw new LabException($"No \"{name}\" from the traffic program within {limit.TotalSeconds} s.");
        }
        throw new LabException($"The traffic program ended: {(await _process.WaitAsync()).Error.Trim()}");
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
