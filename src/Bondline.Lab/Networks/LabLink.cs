using System.Globalization;
using System.Net;
using System.Text.Json;
using Bondline.Linux;

namespace Bondline.Lab;

/// <summary>One uplink of a running lab. Thread safe; changes are made in the order they are asked for and are in force when the task ends.</summary>
public sealed class LabLink : IAsyncDisposable
{
    private readonly LabNetwork _lab;
    private readonly LabProcess _emulator;
    private readonly SemaphoreSlim _gate = new(1);

    private LabLink(LabNetwork lab, int number, LinkOptions options, LabProcess emulator)
    {
        _lab = lab;
        _emulator = emulator;
        Number = number;
        Up = options.Up;
        Down = options.Down;
        Mtu = options.Mtu;
        Name = options.Name;
    }

    /// <summary>1 for the first link: part of its addresses.</summary>
    public int Number { get; }

    /// <summary>The interface on the laptop.</summary>
    public string Name { get; }

    /// <summary>The interface at the relay.</summary>
    public string RelayName => RelayDevice(Name);

    public IPAddress LaptopAddress => IPAddress.Parse($"10.77.{Number}.2");

    public IPAddress RelayAddress => IPAddress.Parse($"10.77.{Number}.1");

    public IPAddress LaptopAddress6 => IPAddress.Parse($"fd77:{Number}::2");

    public IPAddress RelayAddress6 => IPAddress.Parse($"fd77:{Number}::1");

    public LinkSettings Up { get; private set; }

    public LinkSettings Down { get; private set; }

    public int Mtu { get; private set; }

    /// <summary>The process that is the link.</summary>
    public LabProcess Emulator => _emulator;

    /// <summary>Changes one direction or both, for example <c>SetAsync(LinkDirection.Up, s => s with { Loss = 0.01 })</c>.</summary>
    /// <exception cref="LabException">The settings make no sense; nothing changed in that direction.</exception>
    public async Task SetAsync(LinkDirection direction, Func<LinkSettings, LinkSettings> change)
    {
        if (direction != LinkDirection.Down)
        {
            var up = change(Up);
            await AskAsync(new(LinkCommand.Set, LinkDirection.Up, up));
            Up = up;
        }
        if (direction != LinkDirection.Up)
        {
            var down = change(Down);
            await AskAsync(new(LinkCommand.Set, LinkDirection.Down, down));
            Down = down;
        }
    }

    public async Task SetMtuAsync(int mtu)
    {
        await _lab.IpAsync(_lab.Laptop, $"link set {Name} mtu {mtu}");
        await _lab.IpAsync(_lab.Relay, $"link set {RelayName} mtu {mtu}");
        Mtu = mtu;
    }

    /// <summary>Loses everything without a word, what is on its way included, until <see cref="HealAsync"/>.</summary>
    public Task SilenceAsync(LinkDirection direction = LinkDirection.Both) => AskAsync(new(LinkCommand.Silence, direction));

    public Task HealAsync(LinkDirection direction = LinkDirection.Both) => AskAsync(new(LinkCommand.Heal, direction));

    /// <summary>Silences and heals the link, each for <paramref name="period"/>, until <paramref name="stop"/> is set; it ends healed.</summary>
    public async Task FlapAsync(TimeSpan period, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await SilenceAsync();
            await Task.Delay(period, CancellationToken.None);
            await HealAsync();
            await Task.Delay(period, CancellationToken.None);
        }
    }

    /// <summary>Unplugs the cable: the laptop's interface loses its carrier, and nothing passes either way.</summary>
    public Task CarrierDownAsync() => AskAsync(new(LinkCommand.CarrierDown));

    public Task CarrierUpAsync() => AskAsync(new(LinkCommand.CarrierUp));

    /// <summary>Takes the laptop's addresses of this link away, and with them its routes.</summary>
    public Task RemoveAddressAsync() => _lab.IpAsync(_lab.Laptop,
        $"route del ::/0 dev {Name}", // the kernel itself drops only what is IPv4
        $"addr flush dev {Name} scope global");

    /// <summary>Gives the laptop its addresses and default routes of this link again.</summary>
    public Task RestoreAddressAsync() => _lab.IpAsync(_lab.Laptop, [.. LaptopAddressing(Number, Name)]);

    /// <summary>Resets every TCP connection over this link: an RST reaches both ends at once. New connections are not touched.</summary>
    /// <returns>How many connections the link had seen, ended ones included.</returns>
    public async Task<int> ResetAsync() => (await AskAsync(new(LinkCommand.Reset))).Count;

    public async Task<LinkCounters> CountersAsync() => (await AskAsync(new(LinkCommand.Counters))).Counters;

    public async ValueTask DisposeAsync()
    {
        await _emulator.DisposeAsync();
        _gate.Dispose();
    }

    public override string ToString() => Name;

    internal static async Task<LabLink> StartAsync(LabNetwork lab, int number, LinkOptions options, ulong seed, CancellationToken stop)
    {
        if (lab.Wire is { } wire)
        {
            await AddPairAsync(lab, lab.Laptop, wire, options.Name);
            await AddPairAsync(lab, lab.Relay, wire, RelayDevice(options.Name));
        }
        var emulator = LabProcess.Start(null, lab.Program,
            [
                "lab", "link", lab.Laptop.Name, options.Name, lab.Relay.Name, RelayDevice(options.Name),
                "--seed", seed.ToString(CultureInfo.InvariantCulture),
                .. lab.Wire is { } far ? (string[])["--wire", far.Name] : [],
            ],
            // One thread does the work: none of the runtime's own are wanted beside it.
            new Dictionary<string, string> { ["DOTNET_gcServer"] = "0", ["DOTNET_gcConcurrent"] = "0", ["DOTNET_TieredPGO"] = "0" });
        var link = new LabLink(lab, number, options, emulator);
        try
        {
            await link.ReadReplyAsync(stop);
            await link.SetAsync(LinkDirection.Up, settings => settings);
            await link.SetAsync(LinkDirection.Down, settings => settings);
            await lab.IpAsync(lab.Relay,
                $"link set {link.RelayName} mtu {options.Mtu} txqueuelen 2000 addrgenmode none up",
                $"addr add {link.RelayAddress}/24 dev {link.RelayName}",
                $"addr add {link.RelayAddress6}/64 dev {link.RelayName} nodad");
            await lab.IpAsync(lab.Laptop, [$"link set {options.Name} mtu {options.Mtu} txqueuelen 2000 addrgenmode none up", .. LaptopAddressing(number, options.Name)]);
            return link;
        }
        catch
        {
            await link.DisposeAsync();
            throw;
        }
    }

    // Without ARP a device takes its own address for its neighbour's, so that is where the other end sends as well.
    private static async Task AddPairAsync(LabNetwork lab, NetworkNamespace side, NetworkNamespace wire, string device)
    {
        await lab.IpAsync(side, $"link add {device} address {VethDevice.HardwareAddress} type veth peer name {device} netns {wire.Name}", $"link set {device} arp off");
        await lab.IpAsync(wire, $"link set {device} mtu 65535 addrgenmode none up");
    }

    private static string RelayDevice(string name) => $"r-{name}";

    private static IEnumerable<string> LaptopAddressing(int number, string device) =>
    [
        $"addr add 10.77.{number}.2/24 dev {device}",
        $"addr add fd77:{number}::2/64 dev {device} nodad",
        $"route add default via 10.77.{number}.1 dev {device} metric {number * 100}",
        $"route add ::/0 via fd77:{number}::1 dev {device} metric {number * 100}",
    ];

    private async Task<LinkReply> AskAsync(LinkRequest request)
    {
        await _gate.WaitAsync();
        try
        {
            await _emulator.WriteLineAsync(JsonSerializer.Serialize(request, LinkControlJson.Default.LinkRequest));
            return await ReadReplyAsync(CancellationToken.None);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<LinkReply> ReadReplyAsync(CancellationToken stop)
    {
        var line = await _emulator.ReadLineAsync(stop) ?? throw new LabException($"The process of link {Name} ended: {_emulator.Error.Trim()}");
        var reply = JsonSerializer.Deserialize(line, LinkControlJson.Default.LinkReply) ?? new("no reply");
        return reply.Error is null ? reply : throw new LabException($"Link {Name}: {reply.Error}");
    }
}
