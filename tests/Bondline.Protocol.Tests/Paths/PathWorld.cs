using System.Net;
using Xunit;

namespace Bondline.Protocol.Tests.Paths;

/// <summary>The path manager with virtual time; keeps what it commanded.</summary>
internal sealed class PathWorld
{
    public static readonly IPEndPoint Relay = new(IPAddress.Parse("203.0.113.9"), 443);
    public static readonly InterfaceView Ethernet = Interface("eth0", 2), Wifi = Interface("wlan0", 3);

    private readonly List<PathCommand> _commands = [];
    private readonly Dictionary<int, PathCommand.Dial> _dials = [];

    public PathWorld(IReadOnlyList<PathRule> rules, IReadOnlyList<InterfaceView> interfaces, ulong seed = 1, bool isExclusive = true, int systemInterface = 0, IReadOnlyList<RelayAddress>? relay = null, CarrierMode carrier = CarrierMode.Bond, bool hasMultipath = false)
    {
        Manager = new(rules, isExclusive, seed, carrier, hasMultipath);
        Handle(new PathObservation.Relay(relay ?? [new(Relay, systemInterface, false)]));
        See(interfaces);
    }

    public static InterfaceView Loopback { get; } = new("lo", 1, InterfaceKind.Loopback, true, true, [IPAddress.Loopback], [IPNetwork.Parse("127.0.0.0/8")]);

    public static InterfaceView Interface(string name, int index, InterfaceKind kind = InterfaceKind.Hardware) =>
        new(name, index, kind, IsUp: true, HasCarrier: true, [IPAddress.Parse($"10.0.{index}.5")], [IPNetwork.Parse("0.0.0.0/0")]);

    public PathManager Manager { get; }

    public Instant Now { get; private set; } = new(1_000_000);

    public List<int> InFlight { get; } = [];

    public List<PathCommand.Dial> Dialled { get; } = [];

    public IEnumerable<string> DialledPaths => Dialled.Select(dial => dial.Path).Distinct().Order();

    public int DialOf(string path) => _dials.Values.Last(dial => dial.Path == path).Id;

    public void See(IReadOnlyList<InterfaceView> interfaces) => Handle(new PathObservation.Interfaces(interfaces));

    public void Join(int dial, ulong subflow)
    {
        InFlight.Remove(dial);
        var index = _dials.TryGetValue(dial, out var known) && known.Path == "wlan0" ? 3 : 2;
        Handle(new PathObservation.DialJoined(dial, new(subflow), IPAddress.Parse($"10.0.{index}.5")));
    }

    public void Advance()
    {
        if (Manager.NextTimeout == Instant.Never) return;
        Assert.True(Manager.NextTimeout > Now, "a deadline that is over would spin");
        Now = Manager.NextTimeout;
        Handle(new PathObservation.Timeout());
    }

    public void AdvanceTo(Instant end)
    {
        while (Manager.NextTimeout <= end) Advance();
        Now = end;
    }

    public void Handle(PathObservation observation)
    {
        if (observation is PathObservation.DialFailed failed) InFlight.Remove(failed.Dial);
        foreach (var command in Manager.Handle(observation, Now))
        {
            _commands.Add(command);
            switch (command)
            {
                case PathCommand.Dial dial:
                    InFlight.Add(dial.Id);
                    Dialled.Add(dial);
                    _dials[dial.Id] = dial;
                    break;
                case PathCommand.Abandon abandoned:
                    InFlight.Remove(abandoned.Id);
                    break;
            }
        }
    }

    /// <summary>The commands of one kind since the last call, which forgets all kinds up to now.</summary>
    public List<T> Take<T>() where T : PathCommand
    {
        var taken = _commands.OfType<T>().ToList();
        _commands.RemoveAll(command => command is T);
        return taken;
    }
}
