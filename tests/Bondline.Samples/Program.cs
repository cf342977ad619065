using System.Net;
using Bondline.Samples;

// An ordinary web application and a client for what curl cannot ask, to be run through tunnels: see the usage below.
switch (args)
{
    case ["serve", var port, var folder]:
        await Service.RunAsync(int.Parse(port), folder);
        return 0;
    case ["websocket", var url, var host]:
        Console.WriteLine(await WebSocketClient.RunAsync(new(url), host));
        return 0;
    case ["serve-grpc", var port]:
        await GrpcSample.ServeAsync(int.Parse(port));
        return 0;
    case ["grpc", var url, .. { Length: 0 or 2 } relay]:
        foreach (var line in await GrpcClient.RunAsync(new(url), relay is [var address, var root] ? (IPAddress.Parse(address), root) : null)) Console.WriteLine(line);
        return 0;
    default:
        await Console.Error.WriteLineAsync("usage: Bondline.Samples serve PORT GIT-FOLDER | websocket URL HOST | serve-grpc PORT | grpc URL [RELAY-ADDRESS ROOT-FILE]");
        return 2;
}
