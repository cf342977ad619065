using System.Net.WebSockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Bondline.Samples;

/// <summary>An ASP.NET Core application with some of everything that is done over HTTP.</summary>
internal static class Service
{
    private const int PieceBytes = 64 << 10;

    public static async Task RunAsync(int port, string gitFolder)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.ListenLocalhost(port);
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null; // a network may be gone for seconds
            kestrel.Limits.MinResponseDataRate = null;
        });
        await using var app = builder.Build();
        app.UseWebSockets();
        app.MapGet("/hello", () => "hello\n");
        app.MapGet("/bytes/{count:long}", SendBytesAsync);
        app.MapMethods("/digest", ["POST", "PUT"], DigestAsync);
        app.MapGet("/events/{count:int}", SendEventsAsync);
        app.MapGet("/echo", EchoAsync);
        app.Map("/git/{**path}", context => GitBackend.ServeAsync(context, gitFolder));
        await app.StartAsync();
        Console.WriteLine("listening");
        await ((IHost)app).WaitForShutdownAsync();
    }

    private static async Task SendBytesAsync(HttpContext context, long count)
    {
        if (!context.Request.Query.ContainsKey("chunked")) context.Response.ContentLength = count;
        var noise = new Noise((ulong)count);
        var piece = new byte[PieceBytes];
        for (var left = count; left > 0; left -= piece.Length)
        {
            noise.Fill(piece);
            await context.Response.Body.WriteAsync(piece.AsMemory(0, (int)Math.Min(left, piece.Length)), context.RequestAborted);
        }
    }

    private static async Task DigestAsync(HttpContext context)
    {
        var hash = await SHA256.HashDataAsync(context.Request.Body, context.RequestAborted);
        await context.Response.WriteAsync($"{Convert.ToHexStringLower(hash)}\n");
    }

    private static async Task SendEventsAsync(HttpContext context, int count)
    {
        context.Response.ContentType = "text/event-stream";
        context.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        for (var i = 0; i < count; i++)
        {
            await context.Response.WriteAsync($"id: {i}\ndata: event {i}\n\n", context.RequestAborted);
            await timer.WaitForNextTickAsync(context.RequestAborted);
        }
    }

    private static async Task EchoAsync(HttpContext context)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var piece = new byte[PieceBytes];
        while (await socket.ReceiveAsync(piece.AsMemory(), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } received)
            await socket.SendAsync(piece.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, context.RequestAborted);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
    }
}
