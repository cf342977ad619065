using System.CommandLine;
using Bondline.Linux;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp</c>: the kernel's own Multipath TCP; each command below it in a file of its own.</summary>
internal static class MptcpCommand
{
    public static Command Create(CommandHost host) => new("mptcp", "Set up, watch and test the kernel's Multipath TCP.")
    {
        MptcpStatusCommand.Create(host),
        MptcpEnableCommand.Create(host),
        MptcpDisableCommand.Create(host),
        MptcpWatchCommand.Create(host),
        MptcpEndpointCommand.Create(host),
        MptcpLimitsCommand.Create(host),
        MptcpConnectionsCommand.Create(host),
        MptcpMonitorCommand.Create(host),
        MptcpStatsCommand.Create(host),
        MptcpCheckCommand.Create(host),
    };

    /// <summary>The interfaces of <c>enable</c> and <c>watch</c>.</summary>
    public static Argument<string[]> Interfaces() => new("interface")
    {
        Description = "Use these only, virtual ones and VPNs included; by default every network card with an address and a route out.",
        HelpName = "IFACE",
        Arity = ArgumentArity.ZeroOrMore,
    };

    /// <summary>Runs <paramref name="action"/>; what the kernel's MPTCP cannot do becomes an error of the command line.</summary>
    /// <exception cref="CommandException">This system has no MPTCP, or the kernel refused.</exception>
    public static int Guard(Action action)
    {
        RequireLinux();
        try
        {
            action();
            return (int)ExitCode.Success;
        }
        catch (MultipathException error)
        {
            throw From(error);
        }
    }

    /// <inheritdoc cref="Guard"/>
    public static async Task<int> GuardAsync(Func<Task> action)
    {
        RequireLinux();
        try
        {
            await action();
            return (int)ExitCode.Success;
        }
        catch (MultipathException error)
        {
            throw From(error);
        }
    }

    /// <summary>Says on standard error that nothing can use MPTCP now, where that is so.</summary>
    public static void NoteIfOff(CommandHost host, ParseResult line)
    {
        var settings = new MultipathSettings();
        if (settings.Exist && !settings.IsEnabled && !line.GetValue(CommonOptions.Quiet))
            host.Error.WriteLine("note: MPTCP is switched off (net.mptcp.enabled is 0): no new connection uses it.");
    }

    internal static CommandException From(MultipathException error) => error.Failure switch
    {
        MultipathFailure.NotSupported => new("mptcp-missing", error.Message, "Use a kernel with MPTCP: Linux 5.7 or later, built with CONFIG_MPTCP"),
        MultipathFailure.RightMissing => new("right-missing", error.Message, "It needs CAP_NET_ADMIN: run it with sudo"),
        MultipathFailure.CommandUnknown => new("kernel-too-old", error.Message),
        MultipathFailure.Exists => new("endpoint-exists", error.Message, "\"bondline mptcp endpoint list\" shows it"),
        MultipathFailure.NotFound => new("endpoint-unknown", error.Message, "\"bondline mptcp endpoint list\" shows all"),
        MultipathFailure.TableFull => new("kernel-refused", error.Message, "Delete one first: \"bondline mptcp endpoint list\" shows all"),
        _ => new("kernel-refused", error.Message),
    };

    private static void RequireLinux()
    {
        if (!OperatingSystem.IsLinux()) throw new CommandException("not-available", "\"bondline mptcp\" is about Linux's own Multipath TCP, which this system does not have");
    }
}
