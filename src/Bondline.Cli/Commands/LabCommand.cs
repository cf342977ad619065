using System.CommandLine;
using System.Net;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline lab</c>: emulated networks to try the program on. For whoever works on it, so hidden from the help.</summary>
internal static class LabCommand
{
    public static Command Create(CommandHost host)
    {
        var command = new Command("lab", "Emulated networks to try bondline on.") { Hidden = true };
        command.Add(CreateUp(host));
        command.Add(LabMeasureCommand.Create(host, InLab));
        command.Add(LabCompareCommand.Create(host, InLab));
        command.Add(CreateLink(host));
        command.Add(CreateTraffic(host));
        return command;
    }

    private static Command CreateUp(CommandHost host)
    {
        var links = new Option<string[]>("--link") { Description = "NAME:MBITS:RTT-MS[:QUEUE-MS[:MTU]]; repeat it for more links. Default: eth0:50:10 wlan0:30:30 usb0:20:60.", HelpName = "LINK" };
        var control = new Option<string?>("--congestion-control") { Description = "TCP congestion control in the lab.", HelpName = "NAME" };
        var multipath = new Option<bool>("--mptcp") { Description = "Use every link for programs under bondline run." };
        var seed = new Option<ulong>("--seed") { Description = "Draws losses and jitter.", DefaultValueFactory = _ => 1 };
        var command = new Command("up", "Keep a lab up, changed by lines on standard input, until that ends or a signal comes.") { links, control, multipath, seed };
        command.SetAction((line, _) => InLab(host, async () =>
        {
            var options = new LabOptions { CongestionControl = line.GetValue(control), UseMultipathTcp = line.GetValue(multipath), Seed = line.GetValue(seed) };
            if (line.GetValue(links) is { Length: > 0 } chosen) options = options with { Links = [.. chosen.Select(LabConsole.ParseLink)] };
            await using var lab = await LabNetwork.StartAsync(options, host.Stop.Drain);
            await host.Output.WriteLineAsync($"laptop: {LabRights.Entering}ip netns exec {lab.Laptop} ...\nrelay:  {LabRights.Entering}ip netns exec {lab.Relay} ...   address {LabNetwork.Address} {LabNetwork.Address6}");
            foreach (var link in lab.Links) await host.Output.WriteLineAsync($"link:   {link.Name}   laptop {link.LaptopAddress} {link.LaptopAddress6}   relay {link.RelayAddress} {link.RelayAddress6}");
            try
            {
                await LabConsole.RunAsync(lab, host.Input, host.Output, host.Stop.Drain);
            }
            catch (OperationCanceledException) when (host.Stop.Drain.IsCancellationRequested)
            {
                // Asked to end.
            }
        }));
        return command;
    }

    private static Command CreateLink(CommandHost host)
    {
        var laptop = new Argument<string>("laptop-namespace");
        var laptopDevice = new Argument<string>("laptop-device");
        var relay = new Argument<string>("relay-namespace");
        var relayDevice = new Argument<string>("relay-device");
        var seed = new Option<ulong>("--seed");
        var wire = new Option<string?>("--wire") { Description = "Where the other ends of veth devices are; without it, make TUN devices.", HelpName = "NAMESPACE" };
        var command = new Command("link", "Be a link; the lab starts this.") { laptop, laptopDevice, relay, relayDevice, seed, wire };
        command.SetAction((line, _) => Reporting(host, () =>
        {
            LinkEmulator.Run(
                new(
                    NetworkNamespace.Named(line.GetRequiredValue(laptop)), line.GetRequiredValue(laptopDevice), NetworkNamespace.Named(line.GetRequiredValue(relay)), line.GetRequiredValue(relayDevice),
                    line.GetValue(wire) is { } far ? NetworkNamespace.Named(far) : null),
                line.GetValue(seed), host.Input, host.Output);
            return Task.CompletedTask;
        }));
        return command;
    }

    private static Command CreateTraffic(CommandHost host)
    {
        var defaults = new TrafficOptions(TrafficRole.SendRecords);
        var role = new Argument<TrafficRole>("role");
        var listen = new Option<string?>("--listen") { HelpName = "ADDRESS:PORT" };
        var connect = new Option<string?>("--connect") { HelpName = "ADDRESS:PORT" };
        var size = new Option<int?>("--size") { Description = "Bytes of a record or ping.", HelpName = "BYTES" };
        var every = new Option<double?>("--every") { Description = "Milliseconds between two.", HelpName = "MS" };
        var bytes = new Option<long>("--bytes") { Description = "How much bulk to send; 0: no end." };
        var connections = new Option<int>("--connections") { Description = "How many to hold.", DefaultValueFactory = _ => defaults.Connections };
        var noHash = new Option<bool>("--no-hash") { Description = "Compute no SHA-256." };
        var device = new Option<string?>("--device") { Description = "Bind to an interface.", HelpName = "NAME" };
        var control = new Option<string?>("--congestion-control") { HelpName = "NAME" };
        var command = new Command("traffic", "Be one end of a measurement, driven by \"report\" and \"stop\" lines on standard input.")
        {
            role, listen, connect, size, every, bytes, connections, noHash, device, control,
        };
        command.SetAction((line, _) => Reporting(host, () =>
        {
            var options = new TrafficOptions(line.GetRequiredValue(role));
            options = options with
            {
                Listen = Address(line.GetValue(listen)),
                Connect = Address(line.GetValue(connect)),
                SizeBytes = line.GetValue(size) ?? options.SizeBytes,
                Every = line.GetValue(every) is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : options.Every,
                Bytes = line.GetValue(bytes),
                Connections = line.GetValue(connections),
                IsHashed = !line.GetValue(noHash),
                Device = line.GetValue(device),
                CongestionControl = line.GetValue(control),
            };
            return TrafficProgram.Run(options, host.Input, host.Output) ? Task.CompletedTask : throw new LabException("the traffic did not get through");
        }));
        return command;
    }

    private static IPEndPoint? Address(string? text) =>
        text is null ? null : IPEndPoint.TryParse(text, out var address) ? address : throw new LabException($"\"{text}\" is no address and port.");

    private static Task<int> InLab(CommandHost host, Func<Task> work) => Reporting(host, () =>
    {
        LabRights.Take();
        return work();
    });

    // The lab's errors have no code and no page: whoever meets them is at the source.
    private static async Task<int> Reporting(CommandHost host, Func<Task> work)
    {
        host.Stop.Listen(); // Ctrl-C reaches every process of the terminal; only the lab itself acts on it
        try
        {
            await work();
            return (int)ExitCode.Success;
        }
        catch (LabException e)
        {
            await host.Error.WriteLineAsync($"error: {e.Message}");
            return (int)ExitCode.Failure;
        }
    }
}
