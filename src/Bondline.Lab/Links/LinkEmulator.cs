using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Bondline.Linux;

namespace Bondline.Lab;

/// <summary>Where a link's two ends are.</summary>
/// <param name="Laptop">Has one of them.</param>
/// <param name="LaptopDevice">Its name there.</param>
/// <param name="Relay">Has the other one.</param>
/// <param name="RelayDevice">Its name there.</param>
/// <param name="Wire">Null: the emulator makes both, as TUN devices, and they go with it. Else they are veth devices whose other ends are here, under the same names.</param>
public sealed record LinkEnds(NetworkNamespace Laptop, string LaptopDevice, NetworkNamespace Relay, string RelayDevice, NetworkNamespace? Wire);

/// <summary>
/// The process that is a link: it holds a device in each of two network namespaces and carries packets between them, in one thread that
/// runs before ordinary ones and allocates nothing. It takes <see cref="LinkRequest"/> lines on its input and ends when that ends.
/// </summary>
public sealed class LinkEmulator : IDisposable
{
    // Waking is what costs: here, at whoever gets the packets, and most on a virtual machine whose other core sleeps. So packets that come or
    // are due within a tick are handled together. Arrivals are then taken to be half a tick old, and packets go up to half a tick early, which
    // leaves no error on average.
    private const long Tick = 500_000;

    private readonly IPacketDevice _laptop, _relay;
    private readonly TcpFlows _flows;
    private readonly LinkPipe _up, _down;
    private readonly WakeUp _wakeUp = new();
    private readonly ConcurrentQueue<(LinkRequest Request, TaskCompletionSource<LinkReply> Reply)> _requests = new();
    private bool _isUpSilent, _isDownSilent, _hasCarrier = true; // the carrying thread's
    private volatile bool _isStopping;

    private LinkEmulator(LinkEnds ends, ulong seed)
    {
        _laptop = Open(ends.Laptop, ends.LaptopDevice, ends.Wire);
        _relay = Open(ends.Relay, ends.RelayDevice, ends.Wire);
        _flows = new() { Laptop = _laptop, Relay = _relay };
        _up = new(_laptop, _relay, LinkDirection.Up, _flows, seed * 2 + 1);
        _down = new(_relay, _laptop, LinkDirection.Down, _flows, seed * 2 + 2);
    }

    /// <summary>Is the link until <paramref name="input"/> ends.</summary>
    public static void Run(LinkEnds ends, ulong seed, TextReader input, TextWriter output)
    {
        using var link = new LinkEmulator(ends, seed);
        var carrying = new Thread(link.Carry) { IsBackground = true, Name = "link" };
        carrying.Start();
        Write(output, new());
        while (input.ReadLine() is { } line) Write(output, link.Handle(line));
        link._isStopping = true;
        link._wakeUp.Set();
        carrying.Join();
    }

    public void Dispose()
    {
        _laptop.Dispose();
        _relay.Dispose();
        _up.Dispose();
        _down.Dispose();
        _wakeUp.Dispose();
    }

    private static IPacketDevice Open(NetworkNamespace side, string device, NetworkNamespace? wire)
    {
        if (wire is null) return side.Run(() => TunDevice.Create(device));
        side.Run(() => VethDevice.CompleteChecksums(device));
        return wire.Run(() => VethDevice.Open(device));
    }

    private LinkReply Handle(string line)
    {
        LinkRequest? request;
        try
        {
            request = JsonSerializer.Deserialize(line, LinkControlJson.Default.LinkRequest);
        }
        catch (JsonException e)
        {
            return new(e.Message);
        }
        if (request is null) return new("The request is null.");
        if (request.Command == LinkCommand.Counters) return new() { Counters = new(_up.Counters, _down.Counters) };
        if (request.Command == LinkCommand.Set)
        {
            if (request.Settings is null) return new("Set needs settings.");
            if (request.Settings.Problems() is { Count: > 0 } problems) return new(string.Join(' ', problems));
        }
        var reply = new TaskCompletionSource<LinkReply>();
        _requests.Enqueue((request, reply));
        _wakeUp.Set();
        return reply.Task.Result; // the carrying thread answers at once
    }

    private static void Write(TextWriter output, LinkReply reply)
    {
        output.WriteLine(JsonSerializer.Serialize(reply, LinkControlJson.Default.LinkReply));
        output.Flush();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Carry()
    {
        PreciseThread.RemoveTimerSlack();
        PreciseThread.TryRunFirst(); // without the right to, a busy machine makes the link late; the counters tell
        Span<byte> scratch = new byte[IPacketDevice.MaxPacketLength];
        Span<PollEntry> entries = [new(_wakeUp.Descriptor), new(_laptop.Descriptor), new(_relay.Descriptor)];
        var isTick = false;
        while (!_isStopping)
        {
            var now = PreciseThread.Now;
            var error = isTick ? Tick / 2 : 0;
            var isDrained = _up.TakeIn(now - error, scratch, out var taken);
            isDrained &= _down.TakeIn(now - error, scratch, out var takenDown);
            var passed = taken + takenDown + _up.HandOver(now + error) + _down.HandOver(now + error);
            if (!_requests.IsEmpty) Apply();
            isTick = !isDrained;
            if (!isDrained) continue;
            // While there is traffic, the links of the machine all wake at the same ticks; on an idle link every packet is handled at its own time.
            isTick = passed > 0;
            if (isTick)
                PreciseThread.WaitReadable(entries[..1], now - now % Tick + Tick);
            else
                PreciseThread.WaitReadable(entries, Math.Min(_up.NextDue, _down.NextDue));
            if (entries[0].IsReady) _wakeUp.Clear();
        }
    }

    private void Apply()
    {
        while (_requests.TryDequeue(out var next))
            next.Reply.SetResult(Apply(next.Request));
    }

    private LinkReply Apply(LinkRequest request)
    {
        var isUp = request.Direction != LinkDirection.Down;
        var isDown = request.Direction != LinkDirection.Up;
        switch (request.Command)
        {
            case LinkCommand.Set:
                if (isUp) _up.Settings = request.Settings!;
                if (isDown) _down.Settings = request.Settings!;
                break;
            case LinkCommand.Silence:
                _isUpSilent |= isUp;
                _isDownSilent |= isDown;
                break;
            case LinkCommand.Heal:
                _isUpSilent &= !isUp;
                _isDownSilent &= !isDown;
                break;
            case LinkCommand.CarrierDown or LinkCommand.CarrierUp:
                _hasCarrier = request.Command == LinkCommand.CarrierUp;
                _laptop.SetCarrier(_hasCarrier);
                break;
            case LinkCommand.Reset:
                return new() { Count = _flows.Reset() };
        }
        _up.IsSilent = _isUpSilent || !_hasCarrier;
        _down.IsSilent = _isDownSilent || !_hasCarrier;
        return new();
    }
}
