using System.CommandLine;
using System.Net;
using System.Text.Json;
using Bondline.Cli.Screen;
using Bondline.Linux;
using Bondline.Relay;
using Bondline.Transport;
using Microsoft.Extensions.Logging;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline relay</c>: runs a relay until it is told to stop.</summary>
internal static class RelayCommand
{
    private static readonly RelayOptions Defaults = new();

    public static Command Create(CommandHost host)
    {
        var domain = new Option<string?>("--domain") { Description = "HTTP tunnels are names under it. Without it each gets a port.", HelpName = "DOMAIN" };
        var listen = new Option<IPAddress?>("--listen")
        {
            Description = "The address of every port; by default all of this machine's.",
            HelpName = "ADDR",
            CustomParser = result => IPAddress.TryParse(result.Tokens[0].Value, out var address) ? address : Refuse<IPAddress?>(result, $"--listen {result.Tokens[0].Value} is no IP address"),
        };
        var https = new Option<int>("--https-port") { Description = "For agents and HTTPS visitors.", HelpName = "PORT", DefaultValueFactory = _ => Defaults.HttpsPort };
        var http = new Option<int>("--http-port") { Description = "For HTTP visitors.", HelpName = "PORT", DefaultValueFactory = _ => Defaults.HttpPort };
        var tcp = new Option<PortRange>("--tcp-ports")
        {
            Description = "Ports TCP tunnels may have.",
            HelpName = "FIRST-LAST",
            DefaultValueFactory = _ => Defaults.TcpPorts,
            CustomParser = result => PortRange.TryParse(result.Tokens[0].Value, out var range) ? range : Refuse<PortRange>(result, $"--tcp-ports {result.Tokens[0].Value} is not FIRST-LAST within 1-65535"),
        };
        var data = new Option<string?>("--data") { Description = "Folder of its key and tokens: as root /var/lib/bondline, else $XDG_STATE_HOME/bondline.", HelpName = "DIR", Recursive = true };

        var maxHeaders = new Option<int>("--max-header-bytes") { Description = "Of the headers of an HTTP visitor's request.", HelpName = "N", DefaultValueFactory = _ => Defaults.Http.MaxHeaderBytes };
        var maxBody = new Option<long?>("--max-body-bytes") { Description = "Of the body of an HTTP visitor's request; by default any size.", HelpName = "N" };
        var idle = new Option<int?>("--idle-timeout") { Description = "End HTTP requests and WebSockets over which nothing passes for so long; by default never.", HelpName = "SECONDS" };

        var recording = new RecordOptions();

        var command = new Command("relay", "Run a relay: the public side of tunnels.") { domain, listen, https, http, tcp, data, maxHeaders, maxBody, idle };
        recording.AddTo(command);
        command.Add(RelayTokenCommand.Create(host, data));
        command.Add(RelayCaCommand.Create(host, data));
        command.SetAction(line =>
        {
            var options = new RelayOptions
            {
                Domain = line.GetValue(domain),
                Listen = line.GetValue(listen),
                HttpsPort = line.GetValue(https),
                HttpPort = line.GetValue(http),
                TcpPorts = line.GetValue(tcp),
                DataDirectory = line.GetValue(data),
                Http = new HttpLimits
                {
                    MaxHeaderBytes = line.GetValue(maxHeaders),
                    MaxBodyBytes = line.GetValue(maxBody),
                    IdleTimeout = line.GetValue(idle) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                },
            };
            return GuardAsync(async () =>
            {
                await RunAsync(host, line, options, recording.Read(line));
                return host.Stop.Now.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Success;
            });
        });
        return command;
    }

    /// <summary>Runs <paramref name="action"/>; what the relay cannot do becomes an error of the command line.</summary>
    public static Task<int> GuardAsync(Func<Task> action) => GuardAsync(async () =>
    {
        await action();
        return ExitCode.Success;
    });

    private static async Task<int> GuardAsync(Func<Task<ExitCode>> action)
    {
        try
        {
            return (int)await action();
        }
        catch (RelayException error)
        {
            throw new CommandException(error.Code, error.Message, error.Next);
        }
    }

    private static async Task RunAsync(CommandHost host, ParseResult line, RelayOptions options, RecordSettings? recording)
    {
        SystemCheck.Require(NetworkPlatform.System, isRelay: true);
        if (OperatingSystem.IsLinux()) OpenFiles.Raise();
        host.Stop.Listen();
        using var loggers = new LoggerFactory([new LineLoggers(host.Error)], new LoggerFilterOptions
        {
            MinLevel = LogLevel.Warning, // of the libraries too
            Rules = { new LoggerFilterRule(null, "Bondline", line.GetValue(CommonOptions.Verbose) ? LogLevel.Debug : LogLevel.Warning, null) },
        });
        using var record = recording?.Open(why => host.Error.WriteLine($"warning: recording has ended, the relay goes on: {why}"));
        await using var relay = new RelayServer(options with { Record = record }, loggers);
        using var stopping = line.GetValue(CommonOptions.Quiet) ? default : host.Stop.Drain.Register(() => Announce(host, relay));
        Task check = Task.CompletedTask, statistics = Task.CompletedTask;
        await relay.RunAsync(
            started =>
            {
                Report(host, line, started);
                check = CheckDomainAsync(host, started);
                if (line.GetValue(CommonOptions.Stats)) statistics = EverySecond.RunAsync(() => host.Output.WriteLine(RelayReport.Statistics(started.Snapshot(), line.GetValue(CommonOptions.Json))), host.Stop.Drain);
            },
            host.Stop.Drain,
            host.Stop.Now);
        await Task.WhenAll(check, statistics);
    }

    /// <summary>Whoever pressed Ctrl-C sees why the process is still there.</summary>
    private static void Announce(CommandHost host, RelayServer relay)
    {
        var now = relay.Snapshot();
        if (now.Bytes.Streams <= now.Agents) return; // those for control alone
        try
        {
            host.Error.WriteLine($"Stopping: requests under way have {RelayServer.DrainTime.TotalSeconds:0} s to finish; Ctrl-C again ends at once.");
        }
        catch (IOException)
        {
            // The terminal was closed, which is also a signal to stop.
        }
    }

    private static void Report(CommandHost host, ParseResult line, RelayServer relay)
    {
        var (domain, https, http, tcpPorts, isMultipath) = relay.Listening;
        if (line.GetValue(CommonOptions.Json))
        {
            host.Output.WriteLine(JsonSerializer.Serialize(new ListeningLine("listening", domain, $"{https}", $"{http}", $"{tcpPorts}", isMultipath), RelayJson.Lines.ListeningLine));
            if (relay.FirstJoinUrl is { } joinUrl) host.Error.WriteLine($"Join URL: {joinUrl.Format()}");
            return;
        }
        host.Output.WriteLine($"Relay: agents and HTTPS on {https}, HTTP on {http}, TCP tunnels on ports {tcpPorts}{(domain is null ? "" : $", names under {domain}")}");
        if (relay.FirstJoinUrl is not { } first) return;
        host.Output.WriteLine("The first token's join URL, shown only now. On the machine whose service is to be public, run \"bondline login\" and paste it there:");
        host.Output.WriteLine($"  {first.Format()}");
    }

    private static async Task CheckDomainAsync(CommandHost host, RelayServer relay)
    {
        try
        {
            if (await relay.CheckDomainAsync(host.Stop.Drain) is { } advice) host.Error.WriteLine(advice);
        }
        catch (OperationCanceledException) when (host.Stop.Drain.IsCancellationRequested)
        {
            // The relay stops: nobody wants to know any more.
        }
    }

    private static T Refuse<T>(System.CommandLine.Parsing.ArgumentResult result, string why)
    {
        result.AddError(why);
        return default!;
    }

    /// <summary>Logs as single lines on standard error.</summary>
    private sealed class LineLoggers(TextWriter error) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new LineLogger(error);

        public void Dispose() { }
    }

    private sealed class LineLogger(TextWriter error) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var level = logLevel switch { LogLevel.Warning => "warning: ", LogLevel.Error or LogLevel.Critical => "error: ", _ => "" };
            var text = exception is null ? formatter(state, exception) : $"{formatter(state, exception)}: {exception}";
            error.WriteLine(level + string.Join('\n', text.Split('\n').Select(line => TerminalText.Clean(line.TrimEnd('\r'), isUnicode: true)))); // names and paths in it are agents' and visitors'
        }
    }
}
