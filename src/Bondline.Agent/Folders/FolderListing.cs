using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.FileProviders;

namespace Bondline.Agent;

/// <summary>The page of a folder that has no index.html: its folders, then its files.</summary>
internal sealed class FolderListing : IDirectoryFormatter
{
    public Task GenerateContentAsync(HttpContext context, IEnumerable<IFileInfo> contents)
    {
        var encoder = HtmlEncoder.Default;
        var path = encoder.Encode(context.Request.Path.Value ?? "/");
        var page = new StringBuilder($$"""
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{{path}}</title>
            <style>
              body { font: 1rem/1.6 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1.5rem; color-scheme: light dark }
              h1 { font-size: 1.3rem; overflow-wrap: anywhere }
              table { border-collapse: collapse; width: 100% }
              td { padding: .1rem 1rem .1rem 0; overflow-wrap: anywhere }
              td + td { text-align: right; white-space: nowrap; opacity: .7 }
            </style>
            <h1>{{path}}</h1>
            <table>

            """);
        if (context.Request.Path != "/") page.Append("<tr><td><a href=\"../\">../</a><td><td>\n");
        foreach (var entry in contents.OrderByDescending(entry => entry.IsDirectory).ThenBy(entry => entry.Name, StringComparer.Ordinal))
        {
            var slash = entry.IsDirectory ? "/" : "";
            page.Append(
                CultureInfo.InvariantCulture,
                $"<tr><td><a href=\"./{Uri.EscapeDataString(entry.Name)}{slash}\">{encoder.Encode(entry.Name)}{slash}</a><td>{(entry.IsDirectory ? "" : Size(entry.Length))}<td>{entry.LastModified.UtcDateTime:yyyy-MM-dd HH:mm} UTC\n");
        }
        var body = Encoding.UTF8.GetBytes(page.Append("</table>\n</html>\n").ToString());
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.ContentLength = body.Length;
        context.Response.Headers.CacheControl = "no-cache";
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.Body.WriteAsync(body).AsTask();
    }

    private static string Size(long bytes) => bytes switch
    {
        < 1_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.0} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.0} GB"),
    };
}
