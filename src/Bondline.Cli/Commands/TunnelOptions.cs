using System.CommandLine;
using Bondline.Protocol;

namespace Bondline.Cli.Commands;

/// <summary>Options that <c>http</c> and <c>tcp</c> share.</summary>
internal sealed class TunnelOptions
{
    public Option<string?> Paths { get; } = new("--paths")
    {
        Description = "Networks to use, as eth0,wlan0:backup. After the colon: prefer, normal, backup, metered, metered=AMOUNT/day (or month) or off. Default: every one that suits.",
        HelpName = "NAME[:POLICY],...",
    };

    public Option<string?> Mode { get; } = new("--mode") { Description = "How the networks are used together: auto, redundant, lowest-latency or backup-only.", HelpName = "MODE" };

    public Option<string?> Carrier { get; } = new("--carrier") { Description = "What carries the bond: auto, bond or mptcp.", HelpName = "CARRIER" };

    public Option<bool> Takeover { get; } = new("--takeover") { Description = "Take the name or port from another agent of the same token." };

    public Option<bool> Lan { get; } = new("--lan") { Description = "Without a relay: a URL for the machines of the local network; the screen begins with its QR code." };

    public RecordOptions Record { get; } = new();

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[Paths, Mode, Carrier, Takeover, Lan]) command.Add(option);
        Record.AddTo(command);
    }

    /// <exception cref="CommandException">A value is wrong, or this version has not got it.</exception>
    public TunnelSettings Read(ParseResult line)
    {
        var (paths, mode, carrier) = (PathRules.Parse(line.GetValue(Paths)), ParseMode(line.GetValue(Mode)), Carriers.Parse(line.GetValue(Carrier)));
        if (carrier == CarrierMode.Multipath && (paths.Rules.Count > 0 || mode != BondMode.Auto))
            throw new CommandException("usage", "with --carrier mptcp the kernel chooses among the networks, so --paths and --mode have no effect", "Leave them out, or use --carrier bond");
        return new(paths, mode, carrier, line.GetValue(Takeover), line.GetValue(Lan), Record.Read(line));
    }

    private static BondMode ParseMode(string? text)
    {
        foreach (var (mode, name, _) in BondModes.All)
            if (name == (text ?? "auto")) return mode;
        throw new CommandException("usage", $"\"{text}\" is no mode", "Use auto, redundant, lowest-latency or backup-only");
    }
}

/// <summary>The values of <see cref="TunnelOptions"/>.</summary>
internal sealed record TunnelSettings(PathRules Paths, BondMode Mode, CarrierMode Carrier, bool IsTakeover, bool IsLan, RecordSettings? Record);
