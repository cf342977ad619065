using Bondline.Samples;

// An ordinary web application and a client for what curl cannot ask, to be run through tunnels: serve PORT GIT-FOLDER | websocket URL HOST
switch (args)
{
    case ["serve", var port, var folder]:
        await Service.RunAsync(int.Parse(port), folder);
        return 0;
    case ["websocket", var url, var host]:
        Console.WriteLine(await WebSocketClient.RunAsync(new(url), host));
        return 0;
    default:
        await Console.Error.WriteLineAsync("usage: Bondline.Samples serve PORT GIT-FOLDER | websocket URL HOST");
        return 2;
}
