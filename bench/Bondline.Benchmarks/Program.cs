using Bondline.Benchmarks;

// What the transport costs on loopback; BONDLINE_PROGRAM names another program: dotnet run -c Release --project bench/Bondline.Benchmarks -- COMMAND [NUMBER]
var program = Environment.GetEnvironmentVariable("BONDLINE_PROGRAM") ?? ".build/native/bondline";
if (args.FirstOrDefault() == "make-sockets")
{
    RunSockets.Make(args[1..]); // "run" starts this
    return 0;
}
var number = args.Length > 1 ? int.Parse(args[^1], System.Globalization.CultureInfo.InvariantCulture) : 0;
switch (args.FirstOrDefault())
{
    case "tls": await Bulk.TlsAsync(number > 0 ? number : 2048); break;
    case "bulk": await Bulk.BondAsync(number > 0 ? number : 2048); break;
    case "requests": await Requests.RunAsync(number > 0 ? number : 32); break;
    case "idle-streams": await Idle.StreamsAsync(number > 0 ? number : 10_000); break;
    case "idle-bonds": await Idle.BondsAsync(program, number > 0 ? number : 5000); break;
    case "ssh": await AgainstSsh.RunAsync(program, number > 0 ? number : 5); break;
    case "http": await AgainstHops.RunAsync(program, Environment.GetEnvironmentVariable("BONDLINE_HOP") ?? ".build/hop/yarp-hop", number > 0 ? number : 3); break;
    case "carriers": await Carriers.RunAsync(program, number > 0 ? number : 5); break;
    case "listeners": await Listeners.RunAsync(program, number > 0 ? number : 5); break;
    case "crowd": await Crowd.RunAsync(program); break;
    case "run": await RunSockets.RunAsync(program, number > 0 ? number : 20_000); break;
    case "alone": await AgainstSsh.AloneAsync(program, args[1], number); break;
    case "idle-visitors": await Idle.VisitorsAsync(program, number > 0 ? number : 15_000); break;
    case "idle-service": await Idle.ServiceAsync(); break;
    default:
        Console.Error.WriteLine("""
            ssh [ROUNDS]            .build/native/bondline beside ssh -R, in turn: bulk both ways, and wrk against nginx
            http [ROUNDS]           .build/native/bondline's HTTP tunnel beside ssh -R, two nginx hops and .build/hop/yarp-hop (bench/Bondline.YarpHop)
            listeners [ROUNDS]      what plain visitors pay where .build/native/bondline's ports take MPTCP; switches it off for a moment: unshare --net
            carriers [ROUNDS]       .build/native/bondline on carrier bond beside carrier mptcp and bare MPTCP sockets; sets up the kernel: unshare --net
            crowd                   processor time a request through .build/native/bondline beside 1,000 tunnels and 5,000 idle WebSockets
            idle-visitors [NUMBER]  bytes of memory per idle connection through .build/native/bondline's TCP tunnel
            idle-bonds [NUMBER]     bytes of memory per idle bond of one subflow at .build/native/bondline's relay; this process is all the agents
            run [SOCKETS]           what a socket and a start cost under .build/native/bondline run, beside plain ones
            alone WHAT SECONDS      the program alone, for a profiler: download, upload or requests
            Both ends in this process:
            tls [MiB]               SslStream alone: 128 KiB reads and writes
            bulk [MiB]              the same over one stream of a bond
            requests [CONNECTIONS]  64 bytes there and back, one stream each
            idle-streams [NUMBER]   bytes of memory per idle stream, both ends
            """);
        return 64;
}

return 0;
