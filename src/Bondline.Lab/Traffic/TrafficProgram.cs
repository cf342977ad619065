using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Bondline.Lab;

/// <summary>
/// One end of a measurement as a program (<c>bondline lab traffic</c>): it prints <see cref="TrafficEvent"/> lines, answers the line "report"
/// with what happened since the last one, and ends with its input. "report COUNT MILLISECONDS" is answered when that many records or pings
/// (or bytes, of bulk) have come since the last report, and no sooner than that long after it. Both ends use the machine's one monotonic clock.
/// </summary>
public sealed class TrafficProgram
{
    private readonly TrafficOptions _options;
    private readonly TextWriter _output;
    private readonly Lock _outputGate = new();
    private long _windowStart = Stopwatch.GetTimestamp();
    private volatile bool _hasFailed;

    private TrafficProgram(TrafficOptions options, TextWriter output)
    {
        _options = options;
        _output = output;
    }

    /// <returns>False if something went wrong on the way; an "error" event said what.</returns>
    /// <exception cref="LabException">The options make no sense, or the address cannot be listened at or connected to.</exception>
    public static bool Run(TrafficOptions options, TextReader input, TextWriter output)
    {
        if (options.Problems() is { Count: > 0 } problems) throw new LabException(string.Join(' ', problems));
        var program = new TrafficProgram(options, output);
        using var traffic = program.Create();
        try
        {
            program.Start(traffic);
            while (input.ReadLine() is { } line && line != "stop") program.Print(program.Handle(line, traffic));
        }
        catch (SocketException e)
        {
            throw new LabException($"{(options.Listen is { } at ? $"Cannot listen at {at}" : $"Cannot connect to {options.Connect}")}: {e.Message}", e);
        }
        return !program._hasFailed;
    }

    private TrafficEvent Handle(string line, ITraffic traffic)
    {
        var words = line.Split(' ');
        long count = 0, milliseconds = 0;
        if (words[0] != "report" || (words.Length > 1 && !long.TryParse(words[1], out count)) || (words.Length > 2 && !long.TryParse(words[2], out milliseconds)) || words.Length > 3)
            return new("error") { Message = $"\"{line}\" is no command; write \"report\", \"report COUNT MILLISECONDS\" or \"stop\"." };
        while (!_hasFailed && (traffic.Count < count || Stopwatch.GetElapsedTime(_windowStart).TotalMilliseconds < milliseconds)) Thread.Sleep(1);
        _windowStart = Stopwatch.GetTimestamp();
        return traffic.Report();
    }

    private ITraffic Create() => _options.Role switch
    {
        TrafficRole.SendRecords => new RecordSender(_options),
        TrafficRole.ReceiveRecords => new RecordReceiver(_options),
        TrafficRole.SendBulk => new BulkSender(_options, Print),
        TrafficRole.ReceiveBulk => new BulkReceiver(_options, Print),
        TrafficRole.Ping => new Pinger(_options),
        TrafficRole.Echo => new EchoServer(),
        _ => new Holder(),
    };

    private void Start(ITraffic traffic)
    {
        if (_options.Connect is { } remote)
        {
            for (var i = 0; i < _options.Connections; i++)
            {
                var socket = Open(remote.AddressFamily);
                socket.Connect(remote);
                Serve(traffic, socket);
            }
            Print(new("connected"));
            return;
        }
        var listener = Open(_options.Listen!.AddressFamily);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(_options.Listen);
        listener.Listen(1024);
        Print(new("listening") { Port = ((System.Net.IPEndPoint)listener.LocalEndPoint!).Port });
        Background("accept", () =>
        {
            while (true)
            {
                var socket = listener.Accept();
                Serve(traffic, socket);
                Print(new("connected"));
            }
        });
    }

    private Socket Open(AddressFamily family)
    {
        var socket = new Socket(family, SocketType.Stream, ProtocolType.Tcp);
        // SOL_SOCKET, SO_BINDTODEVICE; IPPROTO_TCP, TCP_CONGESTION
        if (_options.Device is { } device) socket.SetRawSocketOption(1, 25, Encoding.ASCII.GetBytes(device + '\0'));
        if (_options.CongestionControl is { } control) socket.SetRawSocketOption(6, 13, Encoding.ASCII.GetBytes(control));
        return socket;
    }

    private void Serve(ITraffic traffic, Socket socket)
    {
        socket.NoDelay = true;
        foreach (var work in traffic.Attach(socket)) Background("traffic", work);
    }

    private void Background(string name, Action work) => new Thread(() =>
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is SocketException or LabException)
        {
            _hasFailed = true;
            Print(new("error") { Message = e.Message });
        }
    })
    { IsBackground = true, Name = name }.Start();

    private void Print(TrafficEvent line)
    {
        lock (_outputGate)
        {
            _output.WriteLine(JsonSerializer.Serialize(line, TrafficJson.Default.TrafficEvent));
            _output.Flush();
        }
    }
}

/// <summary>What a traffic program does with its connections.</summary>
internal interface ITraffic : IDisposable
{
    /// <summary>Takes a connection over; each piece of work runs on its own thread, may block, and ends the connection's use when it returns.</summary>
    IEnumerable<Action> Attach(Socket socket);

    /// <summary>How many records, pings or bytes have come since the last report.</summary>
    long Count { get; }

    /// <summary>What happened since the last report. Called on another thread than the work.</summary>
    TrafficEvent Report();
}
