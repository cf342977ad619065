using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Bondline.Samples;

/// <summary>git's own server, <c>git http-backend</c>, as a CGI program (RFC 3875).</summary>
internal static class GitBackend
{
    public static async Task ServeAsync(HttpContext context, string folder)
    {
        var request = context.Request;
        var start = new ProcessStartInfo("git", ["http-backend"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        (string Name, string? Value)[] variables =
        [
            ("GIT_PROJECT_ROOT", folder), ("GIT_HTTP_EXPORT_ALL", "1"), ("PATH_INFO", request.Path.Value!["/git".Length..]), ("QUERY_STRING", request.QueryString.Value?.TrimStart('?')),
            ("REQUEST_METHOD", request.Method), ("CONTENT_TYPE", request.ContentType), ("REMOTE_USER", "visitor"), ("REMOTE_ADDR", "127.0.0.1"),
            ("GIT_PROTOCOL", request.Headers["Git-Protocol"]), ("HTTP_CONTENT_ENCODING", request.Headers.ContentEncoding), ("GIT_CONFIG_NOSYSTEM", "1"),
        ];
        foreach (var (name, value) in variables) start.Environment[name] = value ?? "";
        using var git = Process.Start(start)!;
        var sending = SendAsync(request.Body, git.StandardInput.BaseStream);
        var answer = git.StandardOutput.BaseStream;
        while (await ReadLineAsync(answer) is { Length: > 0 } line)
        {
            var (name, value) = (line[..line.IndexOf(':')], line[(line.IndexOf(':') + 1)..].Trim());
            if (name == "Status") context.Response.StatusCode = int.Parse(value.AsSpan(0, 3), CultureInfo.InvariantCulture);
            else context.Response.Headers[name] = value;
        }
        await answer.CopyToAsync(context.Response.Body, context.RequestAborted);
        await sending;
        await git.WaitForExitAsync();
    }

    private static async Task SendAsync(Stream body, Stream git)
    {
        await body.CopyToAsync(git);
        git.Close();
    }

    private static async Task<string> ReadLineAsync(Stream stream)
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (await stream.ReadAsync(one) == 1 && one[0] != '\n')
            if (one[0] != '\r') line.Append((char)one[0]);
        return line.ToString();
    }
}
