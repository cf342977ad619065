using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Http;

namespace Bondline.Relay;

/// <summary>What the relay itself has to say to a visitor: a small page for browsers, text for everybody else.</summary>
internal static class ErrorPage
{
    public static Task WriteAsync(HttpContext context, int status, string title, string text, string advice)
    {
        var isBrowser = context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);
        var body = Encoding.UTF8.GetBytes(isBrowser ? Html(status, title, text, advice) : $"{status} {title}\n{text}\n{advice}\n");
        var response = context.Response;
        response.Clear();
        response.StatusCode = status;
        response.ContentType = isBrowser ? "text/html; charset=utf-8" : "text/plain; charset=utf-8";
        response.ContentLength = body.Length;
        response.Headers.CacheControl = "no-store";
        response.Headers["Bondline-Error"] = status.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }

    private static string Html(int status, string title, string text, string advice)
    {
        var encoder = HtmlEncoder.Default;
        return $$"""
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{{status}} {{encoder.Encode(title)}}</title>
            <style>
              body { font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1.5rem; color: #1a1a1a; background: #fff }
              h1 { font-size: 1.4rem; margin: 0 0 .5rem }
              p { margin: .5rem 0 }
              small { color: #666 }
              @media (prefers-color-scheme: dark) { body { color: #e8e8e8; background: #161616 } small { color: #999 } }
            </style>
            <h1>{{encoder.Encode(title)}}</h1>
            <p>{{encoder.Encode(text)}}</p>
            <p>{{encoder.Encode(advice)}}</p>
            <p><small>{{status}} from the Bondline relay</small></p>
            </html>
            """;
    }
}
