using System.CommandLine;
using System.Globalization;
using Bondline.Agent;
using Bondline.Cli.Commands;
using Bondline.Cli.Multipath;
using Bondline.Cli.Screen;
using Bondline.Linux;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli;

/// <summary>What <c>http</c> and <c>tcp</c> do once parsed: choose the relay, run the agent, report, end.</summary>
internal static class TunnelRun
{
    /// <summary>Netlink answers within milliseconds; another bondline may hold the lock.</summary>
    private static readonly TimeSpan SetUpPatience = TimeSpan.FromSeconds(2);

    /// <param name="host">The process's edge.</param>
    /// <param name="line">The command line, for the common options.</param>
    /// <param name="tunnelSettings">The options of both commands.</param>
    /// <param name="requests">The tunnels to ask for, given what names a local target by default; null leaves the name to the relay.</param>
    public static async Task<int> StartAsync(CommandHost host, ParseResult line, TunnelSettings tunnelSettings, Func<Func<string, string?>, IReadOnlyList<TunnelRequest>> requests)
    {
        host.Stop.Listen();
        if (tunnelSettings.Carrier == CarrierMode.Multipath) Carriers.RequireKernel();
        var settings = new AgentSettings(AgentSettings.DefaultFolder(host.Environment));
        var join = await RelayChoice.ResolveAsync(host, line, settings, host.Stop.Drain);
        SystemCheck.Require(NetworkPlatform.System, isRelay: join is null);
        if (OperatingSystem.IsLinux()) OpenFiles.Raise();
        if (join is not null && tunnelSettings.IsLan) throw new CommandException("usage", "--lan is for the relay in this process, and one is configured", "Leave --lan out");
        var proxies = join is null ? ProxySettings.None : ReadProxies(host);
        IReadOnlyList<TunnelRequest> tunnels;
        InstanceLock? held = null;
        try
        {
            tunnels = requests(settings.TunnelName);
            held = settings.LockInstance(Purpose(join, tunnels));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            var message = $"{settings.Folder} cannot be used, so a restart gets another name and port: {error.Message.TrimEnd('.')}";
            await host.Error.WriteLineAsync($"warning: {ErrorReport.Line("settings-unusable", message, "Point $XDG_CONFIG_HOME at a folder of your own")}");
            tunnels = requests(_ => null);
        }
        using (held)
        {
            await using var embedded = join is null ? await EmbeddedRelay.StartAsync(tunnelSettings.IsLan, host.Stop.Drain) : null;
            var model = new ScreenModel(tunnels.Select(tunnel => tunnel.Target), embedded is null ? null : EmbeddedRelay.ShortNotice(tunnelSettings.IsLan), tunnelSettings.Paths.Rules, TimeProvider.System);
            using var screen = MayDraw(host, line) && OperatingSystem.IsLinux() ? LiveScreen.TryStart(host.Environment, model, startsWithQrCode: tunnelSettings.IsLan, host.Stop.Raise, TimeProvider.System) : null;
            if (embedded is not null && screen is null && !line.GetValue(CommonOptions.Quiet)) await host.Error.WriteLineAsync(EmbeddedRelay.Notice(tunnelSettings.IsLan));
            var shown = screen is null ? null : new ScreenReport(model, embedded is null ? join!.Hosts[0].ToString() : "the relay in this process", host.Error);
            var report = shown ?? Report(host, line);
            using var record = tunnelSettings.Record?.Open(why => report.Problem(new("record-unusable", $"recording has ended, the tunnel goes on: {why}")));
            var options = new TunnelAgentOptions
            {
                Join = embedded?.Join ?? join!,
                Instance = held?.Id ?? Guid.NewGuid(),
                Tunnels = tunnels,
                Paths = tunnelSettings.Paths.Rules,
                PathsAreExclusive = tunnelSettings.Paths.AreExclusive,
                Proxies = proxies,
                Mode = tunnelSettings.Mode,
                Carrier = tunnelSettings.Carrier,
                Budgets = tunnelSettings.Paths.Budgets,
                Settings = settings,
                IsTakeover = tunnelSettings.IsTakeover,
                WatchesRequests = screen is not null,
                Record = record,
                Log = shown ?? (line.GetValue(CommonOptions.Verbose) ? new VerboseLog(host.Error) : (ITransportLog)SilentTransportLog.Instance),
            };
            var agent = new TunnelAgent(options, report);
            if (OperatingSystem.IsLinux()) screen?.Follow(agent);
            using var stopping = line.GetValue(CommonOptions.Quiet) ? default : host.Stop.Drain.Register(() => Announce(host, agent, options.DrainTime));
            using var leaving = host.Stop.Drain.Register(() => // runs before what was registered before it
            {
                shown?.End();
                if (OperatingSystem.IsLinux()) screen?.Leave();
            });
            var code = await RunAsync(host, agent, report, line.GetValue(CommonOptions.Stats), tunnelSettings.Carrier);
            if (shown is not null) Summarize(host, model);
            return code;
        }
    }

    private static ProxySettings ReadProxies(CommandHost host)
    {
        try
        {
            return ProxySettings.Read(host.Environment);
        }
        catch (FormatException error)
        {
            throw new CommandException("proxy-unusable", error.Message, "Set HTTPS_PROXY to http://HOST:PORT, or name the relay in NO_PROXY to go past it");
        }
    }

    /// <summary>What stays of a screen that is gone.</summary>
    private static void Summarize(CommandHost host, ScreenModel model)
    {
        var view = model.View();
        var (requests, absences, sent, received) = model.Totals;
        foreach (var tunnel in view.Tunnels.Where(tunnel => tunnel.Url is not null)) Print($"{tunnel.Url} -> {tunnel.Local}");
        var served = view.Tunnels.Any(tunnel => tunnel.IsHttp) ? string.Create(CultureInfo.InvariantCulture, $"{requests} {(requests == 1 ? "request" : "requests")}, ") : "";
        var lost = absences switch { 0 => "", 1 => "; a network went away once", _ => string.Create(CultureInfo.InvariantCulture, $"; networks went away {absences} times") };
        Print($"{ScreenLayout.Span(view.Uptime)}: {served}{ScreenLayout.Size(sent)} sent, {ScreenLayout.Size(received)} received{lost}");

        void Print(string text)
        {
            try
            {
                host.Output.WriteLine(TerminalText.Clean(text, isUnicode: true));
            }
            catch (IOException)
            {
                // The terminal was closed.
            }
        }
    }

    /// <summary>What is asked for as lines is printed as lines, on a terminal too.</summary>
    private static bool MayDraw(CommandHost host, ParseResult line) =>
        host.MayDraw && !line.GetValue(CommonOptions.Json) && !line.GetValue(CommonOptions.Quiet) && !line.GetValue(CommonOptions.Stats) && !line.GetValue(CommonOptions.Verbose);

    /// <summary>Whoever pressed Ctrl-C sees why the process is still there.</summary>
    private static void Announce(CommandHost host, TunnelAgent agent, TimeSpan drainTime)
    {
        if (agent.Snapshot().Streams is not (> 0 and var open)) return;
        try
        {
            host.Error.WriteLine($"Stopping: {open} {(open == 1 ? "connection has" : "connections have")} {drainTime.TotalSeconds:0} s to finish; Ctrl-C again ends at once.");
        }
        catch (IOException)
        {
            // The terminal was closed, which is also a signal to stop.
        }
    }

    private static async Task<int> RunAsync(CommandHost host, TunnelAgent agent, IAgentReport report, bool hasStatistics, CarrierMode carrier)
    {
        using var over = new CancellationTokenSource();
        var networks = Task.CompletedTask;
        if (OperatingSystem.IsLinux() && carrier != CarrierMode.Bond)
        {
            var kernel = new CarrierNetworks(host.Multipath(), report.Note);
            networks = kernel.RunAsync(carrier == CarrierMode.Multipath, over.Token);
            if (carrier == CarrierMode.Multipath) await Task.WhenAny(kernel.WhenReady, Task.Delay(SetUpPatience));
        }

        var statistics = hasStatistics ? EverySecond.RunAsync(() => report.Statistics(agent.Snapshot()), over.Token) : Task.CompletedTask;
        try
        {
            await agent.RunAsync(host.Stop.Drain, host.Stop.Now);
            return (int)(host.Stop.Now.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Success);
        }
        catch (TunnelAgentException error)
        {
            throw new CommandException(error.Problem.Code, error.Problem.Message, error.Problem.Next);
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(statistics, networks);
        }
    }

    private static IAgentReport Report(CommandHost host, ParseResult line) =>
        line.GetValue(CommonOptions.Json) ? new JsonReport(host.Output) : new PlainReport(host.Output, host.Error, line.GetValue(CommonOptions.Quiet));

    /// <summary>Two processes with the same purpose are two instances; the same command started again is the same one.</summary>
    private static string Purpose(JoinUrl? join, IReadOnlyList<TunnelRequest> tunnels)
    {
        var relay = join is null ? "embedded" : $"{join.Token.Id}@{join.Hosts[0]}";
        return string.Join(' ', (string[])[relay, .. tunnels.Select(tunnel => $"{tunnel.Target.Kind}:{tunnel.Target.Key}")]);
    }
}
