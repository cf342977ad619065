using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.AspNetCore.Http;

namespace Bondline.Relay;

/// <summary>What the relay itself has to say to a visitor: a small page for browsers, text for everybody else.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">What is the matter.</param>
/// <param name="Text">The details, in a sentence.</param>
/// <param name="Advice">What to do.</param>
/// <param name="RetrySeconds">It passes by itself: browsers ask again after so long. 0: it does not.</param>
internal sealed record RelayPage(int Status, string Title, string Text, string Advice, int RetrySeconds = 0)
{
    private const int RetryAway = 5;

    /// <summary>A browser shows the answer to somebody, and asking again does no harm.</summary>
    public static bool IsForPerson(HttpContext context) => HttpMethods.IsGet(context.Request.Method) && IsForBrowser(context);

    public static RelayPage NoTunnel(HttpContext context) =>
        new(StatusCodes.Status404NotFound, "No such tunnel", $"There is no tunnel at {context.Request.Headers.Host}.", "The agent that served it may have been stopped, or the name is misspelt.");

    public static RelayPage Away(HttpContext context) =>
        new(StatusCodes.Status503ServiceUnavailable, "The agent is away", $"The agent of {context.Request.Headers.Host} is not connected: it was stopped, or its machine has no network.", "This page tries again by itself.", RetryAway);

    public static RelayPage Refusal(int status) => status switch
    {
        StatusCodes.Status413PayloadTooLarge => new(status, "The request is too large", "The relay did not pass it on.", "The relay's operator sets what it takes."),
        StatusCodes.Status405MethodNotAllowed => new(status, "The relay is no proxy", "It leads to its own tunnels only.", "Ask for a tunnel's name."),
        _ => new(status, "The request is not right", "The relay did not pass it on: it is no HTTP, or can be read in more than one way.", "Look at what the client sends."),
    };

    /// <summary>Why a request that was forwarded has no answer.</summary>
    public static RelayPage Failure(HttpContext context, HttpTunnel tunnel, Exception failure)
    {
        var code = StreamError.None;
        for (var error = failure; error is not null; error = error.InnerException)
        {
            if (error is BadHttpRequestException refused) return Refusal(refused.StatusCode);
            if (error is BondStreamException reset) code = reset.Error;
            else if (error is BadResponseException { IsEnd: true }) code = StreamError.LocalReset;
            else if (error is ObjectDisposedException && code == StreamError.None) code = StreamError.TunnelUnknown; // the tunnel closed just now
        }
        var service = tunnel.Local switch
        {
            null => "local service",
            var port when port.All(char.IsAsciiDigit) => $"local service on port {port}",
            var local => $"local service at {local}",
        };
        const int badGateway = StatusCodes.Status502BadGateway;
        return code switch
        {
            StreamError.LocalUnreachable => new(badGateway, "The local service does not answer", $"The agent tried the {service} and nothing accepted the connection.", "Start the service; the tunnel itself works."),
            StreamError.LocalUntrusted => new(badGateway, "The local service is not trusted", $"The agent does not trust the certificate of the {service}.", "Its owner can add the certificate's authority to the agent's machine, or skip the check with --local-insecure."),
            StreamError.LocalTls => new(badGateway, "The local service does not answer", $"The agent got no TLS connection to the {service}.", "It may speak plain HTTP: then the tunnel should lead to http://."),
            StreamError.LocalReset => new(badGateway, "The local service broke off", $"The {service} closed the connection before it had answered.", "Its own log may say why."),
            StreamError.BondLost or StreamError.TunnelUnknown or StreamError.Refused => Away(context),
            _ when failure is TimeoutException =>
                new(StatusCodes.Status504GatewayTimeout, "No answer in time", $"Nothing came from the {service} for as long as this relay waits.", "Its own log may say why."),
            _ => new(badGateway, "No answer", $"The {service} did not answer the request properly.", "Its own log may say why."),
        };
    }

    public Task WriteAsync(HttpContext context)
    {
        var isForBrowser = IsForBrowser(context);
        var body = Encoding.UTF8.GetBytes(isForBrowser ? Html(RetrySeconds > 0 && IsForPerson(context)) : $"{Status} {Title}\n{Text}\n{(RetrySeconds > 0 ? "Try again." : Advice)}\n");
        var response = context.Response;
        var connection = response.Headers.Connection;
        response.Clear();
        response.Headers.Connection = connection;
        response.StatusCode = Status;
        response.ContentType = isForBrowser ? "text/html; charset=utf-8" : "text/plain; charset=utf-8";
        response.ContentLength = body.Length;
        response.Headers.CacheControl = "no-store";
        response.Headers["Bondline-Error"] = Status.ToString(CultureInfo.InvariantCulture);
        if (RetrySeconds > 0) response.Headers.RetryAfter = RetrySeconds.ToString(CultureInfo.InvariantCulture);
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }

    private static bool IsForBrowser(HttpContext context) => context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);

    private string Html(bool triesAgain)
    {
        var encoder = HtmlEncoder.Default;
        return $$"""
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">{{(triesAgain ? $"\n<meta http-equiv=\"refresh\" content=\"{RetrySeconds}\">" : "")}}
            <title>{{Status}} {{encoder.Encode(Title)}}</title>
            <style>
              body { font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1.5rem; color: #1a1a1a; background: #fff }
              h1 { font-size: 1.4rem; margin: 0 0 .5rem }
              p { margin: .5rem 0 }
              small { color: #666 }
              @media (prefers-color-scheme: dark) { body { color: #e8e8e8; background: #161616 } small { color: #999 } }
            </style>
            <h1>{{encoder.Encode(Title)}}</h1>
            <p>{{encoder.Encode(Text)}}</p>
            <p>{{encoder.Encode(triesAgain || RetrySeconds == 0 ? Advice : "Try again.")}}</p>
            <p><small>{{Status}} from the Bondline relay</small></p>
            </html>
            """;
    }
}
