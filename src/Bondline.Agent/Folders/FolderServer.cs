using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Bondline.Agent;

/// <summary>Serves a folder to visitors, read only: Kestrel over their streams, and ASP.NET's static files with what <see cref="ServedFiles"/> lets through.</summary>
internal sealed class FolderServer : IAsyncDisposable
{
    // A relay has looked at them already. It lets request lines of 16 KiB through, 256 headers and at most 1 MiB of them, and adds its own.
    private const int LongestRequestLine = 17 << 10, MostHeaderBytes = 1 << 20, MostHeaders = 256 + 16;

    private readonly StreamListener _listener = new();
    private readonly WebApplication _app;
    private readonly Task _started;

    /// <param name="folder">Need not exist yet, or any more.</param>
    public FolderServer(string folder)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "bondline" });
        builder.Services.AddLogging();
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();
        builder.Services.AddSingleton<IConnectionListenerFactory>(_listener);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestLineSize = LongestRequestLine;
            kestrel.Limits.MaxRequestHeadersTotalSize = MostHeaderBytes;
            kestrel.Limits.MaxRequestHeaderCount = MostHeaders;
            kestrel.Limits.MinRequestBodyDataRate = null; // the bond may stand still
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(_listener.EndPoint);
        });
        _app = builder.Build();
        _app.Use(RefuseOthers);
        _app.UseFileServer(Options(new ServedFiles(folder)));
        _app.Run(NotFound);
        _started = _app.StartAsync();
    }

    /// <summary>Serves one visitor's connection to its end.</summary>
    public async Task ServeAsync(BondStream stream)
    {
        await _started;
        var connection = new StreamConnection(stream);
        if (_listener.TryOffer(connection)) await connection.Served;
        else stream.Abort(StreamError.TunnelUnknown);
    }

    public async ValueTask DisposeAsync()
    {
        await _started;
        using var now = new CancellationTokenSource();
        await now.CancelAsync(); // the agent's draining is over
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private static FileServerOptions Options(ServedFiles files)
    {
        var types = new FileExtensionContentTypeProvider();
        foreach (var (extension, type) in types.Mappings.ToList())
            if (type.StartsWith("text/", StringComparison.Ordinal)) types.Mappings[extension] = $"{type}; charset=utf-8";
        var options = new FileServerOptions { FileProvider = files, EnableDirectoryBrowsing = true };
        options.DirectoryBrowserOptions.Formatter = new FolderListing();
        options.DefaultFilesOptions.DefaultFileNames = ["index.html", "index.htm"];
        options.StaticFileOptions.ContentTypeProvider = types;
        options.StaticFileOptions.ServeUnknownFileTypes = true;
        options.StaticFileOptions.DefaultContentType = "application/octet-stream";
        options.StaticFileOptions.OnPrepareResponse = file =>
        {
            file.Context.Response.Headers.CacheControl = "no-cache"; // what changes here is seen at once; what has not is not sent again
            file.Context.Response.Headers.XContentTypeOptions = "nosniff";
        };
        return options;
    }

    private static Task RefuseOthers(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method))
        {
            if (request.Headers["X-Forwarded-Proto"] == "https") request.Scheme = "https"; // for redirects to a folder's slash
            return next(context);
        }
        context.Response.Headers.Allow = "GET, HEAD";
        return AnswerAsync(context, StatusCodes.Status405MethodNotAllowed, "This folder can only be read.");
    }

    private static Task NotFound(HttpContext context) => AnswerAsync(context, StatusCodes.Status404NotFound, "There is no such file.");

    private static Task AnswerAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        var body = $"{status} {text}\n";
        context.Response.ContentLength = body.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.WriteAsync(body);
    }

    /// <summary>The program has its own signals; the web host is not to take them.</summary>
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
