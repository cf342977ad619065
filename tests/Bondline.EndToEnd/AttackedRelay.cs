using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Bondline.Lab;
using Bondline.Protocol;

namespace Bondline.EndToEnd;

/// <summary>The real relay on loopback with somebody to disturb: an agent with a tunnel through which a visitor receives bytes all the time.</summary>
public sealed class AttackedRelay : IAsyncLifetime
{
    private const long MostResidentBytes = 200L << 20;

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20), LongestGap = TimeSpan.FromSeconds(1);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-attacked-");
    private readonly string _address = string.Create(CultureInfo.InvariantCulture, $"127.{RandomNumberGenerator.GetInt32(1, 120)}.{RandomNumberGenerator.GetInt32(256)}.{RandomNumberGenerator.GetInt32(1, 255)}");
    private LabProcess? _relay, _agent;
    private Transfer? _transfer;

    public static string Program { get; } =
        Environment.GetEnvironmentVariable("BONDLINE_PROGRAM") is { Length: > 0 } named ? named : Path.Combine(AppContext.BaseDirectory, "bondline");

    public IPEndPoint TlsPort => new(IPAddress.Parse(_address), 8443);

    public async ValueTask InitializeAsync()
    {
        _relay = LabProcess.Start(null, Program, ["relay", "--listen", _address, "--https-port", "8443", "--http-port", "8000", "--tcp-ports", "7000-7099", "--data", Data, "--json"]);
        await _relay.WaitForLineAsync("\"listening\"", StartLimit);
        _transfer = new();
        _agent = StartAgent(await CreateTokenAsync("victim"), _transfer.Port);
        var ready = await _agent.WaitForLineAsync("\"ready\"", StartLimit);
        using var json = System.Text.Json.JsonDocument.Parse(ready);
        _transfer.Begin(new(IPAddress.Parse(_address), new Uri(json.RootElement.GetProperty("url").GetString()!).Port));
        await AssertUndisturbedAsync();
    }

    /// <summary>Makes a token and returns its join URL.</summary>
    public async Task<string> CreateTokenAsync(string name) =>
        (await LabProcess.RunAsync(null, Program, ["relay", "token", "create", name, "--data", Data])).ThrowIfFailed("bondline relay token create").Output.Trim();

    public async Task<Token> TokenAsync(string name) => JoinUrl.TryParse(await CreateTokenAsync(name), out var join, out var error) ? join.Token : throw new LabException(error);

    public async Task RevokeAsync(string name) =>
        (await LabProcess.RunAsync(null, Program, ["relay", "token", "revoke", name, "--data", Data])).ThrowIfFailed("bondline relay token revoke");

    /// <summary>An agent with a join URL of its own; it prints JSON.</summary>
    public LabProcess StartAgent(string join, int port) =>
        LabProcess.Start(null, Program, ["tcp", port.ToString(CultureInfo.InvariantCulture), "--json"], new Dictionary<string, string> { ["BONDLINE_RELAY"] = join, ["XDG_CONFIG_HOME"] = _folder.FullName });

    /// <summary>The relay lives, is small, met no bug, and the visitor beside has received on without a gap and without a wrong byte.</summary>
    public async Task AssertUndisturbedAsync()
    {
        await _transfer!.MoreAsync(256 << 10);
        Assert.True(_transfer.TakeLongestGap() is var gap && gap < LongestGap, $"A visitor beside received nothing for {gap.TotalMilliseconds:0} ms.");
        Assert.False(_relay!.HasExited, _relay.Error);
        Assert.False(_agent!.HasExited, _agent.Error);
        Assert.DoesNotContain("error:", _relay.Error, StringComparison.Ordinal);
        var resident = ResidentBytes();
        Assert.True(resident < MostResidentBytes, $"The relay takes {resident >> 20} MB.");
    }

    /// <summary>The relay's memory now.</summary>
    public long ResidentBytes()
    {
        using var process = Process.GetProcessById(_relay!.Id);
        return process.WorkingSet64;
    }

    public async ValueTask DisposeAsync()
    {
        if (_transfer is not null) await _transfer.DisposeAsync();
        if (_agent is not null) await _agent.DisposeAsync();
        if (_relay is not null) await _relay.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private string Data => Path.Combine(_folder.FullName, "relay");

    /// <summary>A service that counts, 16 KiB every few milliseconds, and the visitor who checks the count.</summary>
    private sealed class Transfer : IAsyncDisposable
    {
        private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(5), Patience = TimeSpan.FromSeconds(20);

        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _stop = new();
        private readonly Lock _gate = new();
        private readonly Task _serving;
        private Task _visiting = Task.CompletedTask;
        private long _received, _lastAt, _longestGap; // ticks of Stopwatch
        private (long Bytes, TaskCompletionSource Reached)? _wanted;

        public Transfer()
        {
            _listener.Start();
            _serving = ServeAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public void Begin(IPEndPoint tunnel) => _visiting = VisitAsync(tunnel);

        /// <summary>Waits until so many bytes have come from now on; fails with what was wrong if it was.</summary>
        public async Task MoreAsync(long bytes)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_gate) _wanted = (_received + bytes, reached);
            await (await Task.WhenAny(reached.Task, _visiting)).WaitAsync(Patience);
            Assert.True(reached.Task.IsCompleted, "The visitor's connection ended.");
        }

        public TimeSpan TakeLongestGap()
        {
            lock (_gate)
            {
                var gap = Stopwatch.GetElapsedTime(0, _longestGap);
                _longestGap = 0;
                return gap;
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            _listener.Dispose();
            await Task.WhenAll(_serving, _visiting).ContinueWith(static _ => { }, TaskScheduler.Default); // a failure was the assertions'
            _stop.Dispose();
        }

        private async Task ServeAsync()
        {
            var serving = new List<Task>();
            try
            {
                while (true) serving.Add(CountAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
            catch (Exception over) when (over is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                await Task.WhenAll(serving);
            }
        }

        private async Task CountAsync(TcpClient visitor)
        {
            using var _ = visitor;
            using var timer = new PeriodicTimer(Interval);
            var chunk = new byte[16 << 10];
            try
            {
                for (ulong count = 0; await timer.WaitForNextTickAsync(_stop.Token);)
                {
                    for (var at = 0; at < chunk.Length; at += sizeof(ulong)) BinaryPrimitives.WriteUInt64LittleEndian(chunk.AsSpan(at), count++);
                    await visitor.GetStream().WriteAsync(chunk, _stop.Token);
                }
            }
            catch (Exception over) when (over is OperationCanceledException or IOException)
            {
                // the agent's look before "ready", or the end
            }
        }

        private async Task VisitAsync(IPEndPoint at)
        {
            using var visitor = new TcpClient();
            await visitor.ConnectAsync(at, _stop.Token);
            var stream = visitor.GetStream();
            var chunk = new byte[16 << 10];
            for (ulong count = 0; ;)
            {
                await stream.ReadExactlyAsync(chunk, _stop.Token);
                for (var read = 0; read < chunk.Length; read += sizeof(ulong)) Assert.Equal(count++, BinaryPrimitives.ReadUInt64LittleEndian(chunk.AsSpan(read)));
                lock (_gate)
                {
                    var now = Stopwatch.GetTimestamp();
                    if (_lastAt != 0) _longestGap = Math.Max(_longestGap, now - _lastAt);
                    _lastAt = now;
                    _received += chunk.Length;
                    if (_wanted is { } wanted && _received >= wanted.Bytes) wanted.Reached.TrySetResult();
                }
            }
        }
    }
}
