using System.Globalization;
using System.Security.Cryptography;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary>Programs people use over HTTP, unchanged: each is run against the service itself once, then through the tunnel, and both must have said the same.</summary>
internal sealed class WebPrograms : IAsyncDisposable
{
    public const int Port = 9200;

    private const int Megabyte = 1_000_000;

    public static readonly string Samples = Path.Combine(AppContext.BaseDirectory, "Bondline.Samples");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-programs-");
    private readonly BondedLab _lab;
    private readonly int _bulkBytes;
    private LabProcess? _service;
    private CurlComparison _curl = null!;

    private WebPrograms(BondedLab lab, int bulkBytes) => (_lab, _bulkBytes) = (lab, bulkBytes);

    private string Url => _lab.Urls.Single().Value;

    /// <summary>Starts the service, and the agent that leads to it.</summary>
    public static async Task<WebPrograms> StartAsync(BondedLab lab, int bulkMegabytes)
    {
        var programs = new WebPrograms(lab, bulkMegabytes * Megabyte);
        try
        {
            await programs.StartAsync();
            return programs;
        }
        catch
        {
            await programs.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs all of them side by side through the tunnel.</summary>
    /// <param name="events">Server-sent events, ten a second.</param>
    /// <returns>What differed; empty if nothing did.</returns>
    public async Task<IReadOnlyList<string>> CompareAsync(int events)
    {
        var upload = await UploadFileAsync("upload", _bulkBytes);
        var small = await UploadFileAsync("small", 5 * Megabyte);
        (string Name, string[] Curl)[] asked =
        [
            ("headers", ["--include", "/hello"]),
            ("a head", ["--head", "/hello"]),
            ("not found", ["--include", "/none"]),
            ("a download", [$"/bytes/{_bulkBytes}"]),
            ("a chunked download", [$"/bytes/{5 * Megabyte}?chunked"]),
            ("a download with a limited rate", ["--limit-rate", "2M", $"/bytes/{10 * Megabyte}"]),
            ("a download over HTTP/2", [CurlComparison.Http2, $"/bytes/{10 * Megabyte}"]),
            ("a download over TLS", [CurlComparison.Tls, $"/bytes/{10 * Megabyte}"]),
            ("an upload", ["--data-binary", $"@{upload}", "-H", "Content-Type: application/octet-stream", "/digest"]),
            ("an upload with Expect", ["--upload-file", small, "-H", "Expect: 100-continue", "/digest"]),
            ("a chunked upload", ["--upload-file", small, "-H", "Transfer-Encoding: chunked", "/digest"]),
            ("an upload over HTTP/2", [CurlComparison.Http2, "--upload-file", small, "/digest"]),
            ("an upload over TLS", [CurlComparison.Tls, "--upload-file", small, "/digest"]),
            ("events", ["--no-buffer", $"/events/{events}"]),
        ];
        var differences = await Task.WhenAll([.. asked.Select(one => _curl.CompareAsync(one.Name, one.Curl)), CompareWebSocketsAsync(), CompareGitAsync(), AbortAsync()]);
        return [.. differences.OfType<string>()];
    }

    public async ValueTask DisposeAsync()
    {
        if (_service is not null) await _service.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task StartAsync()
    {
        await GitAsync(null, "init", "--quiet", "--bare", "--initial-branch", "main", InFolder("git/project.git"));
        await GitAsync(null, "-C", InFolder("git/project.git"), "config", "http.receivepack", "true");
        await GitAsync(null, "init", "--quiet", "--initial-branch", "main", InFolder("first"));
        for (var i = 0; i < 20; i++) await File.WriteAllBytesAsync(InFolder($"first/file-{i}"), RandomNumberGenerator.GetBytes(100_000));
        await CommitAsync("first", "First");
        await GitAsync(null, "-C", InFolder("first"), "push", "--quiet", InFolder("git/project.git"), "main");
        _service = LabProcess.Start(_lab.Network.Laptop, Samples, ["serve", $"{Port}", InFolder("git")], GitEnvironment());
        await _service.WaitForLineAsync("listening", TimeSpan.FromSeconds(20));
        await _lab.StartAgentAsync(1, ["http", $"{Port}", "--name", "shop"]);
        await _lab.WaitForAllPathsAsync();
        _curl = await CurlComparison.CreateAsync(_lab, _folder.FullName);
    }

    private async Task<string?> CompareWebSocketsAsync()
    {
        var result = await LabProcess.RunAsync(_lab.Network.Relay, Samples, ["websocket", $"ws://{LabNetwork.Address}:{BondedLab.HttpPort}/echo", new Uri(Url).Host]);
        return result.ExitCode == 0 ? null : $"WebSockets: {result.Error.Trim()}";
    }

    private async Task<string?> CompareGitAsync()
    {
        string[] tunnel = ["-c", $"http.curloptResolve={new Uri(Url).Host}:{BondedLab.HttpPort}:{LabNetwork.Address}"];
        try
        {
            await GitAsync(_lab.Network.Relay, [.. tunnel, "clone", "--quiet", $"{Url}/git/project.git", InFolder("second")]);
            await File.WriteAllBytesAsync(InFolder("second/pushed"), RandomNumberGenerator.GetBytes(3 * Megabyte));
            await CommitAsync("second", "Second");
            await GitAsync(_lab.Network.Relay, [.. tunnel, "-C", InFolder("second"), "push", "--quiet", "origin", "main"]);
            await GitAsync(null, "-C", InFolder("git/project.git"), "fsck", "--strict");
            var (pushed, kept) = (await GitAsync(null, "-C", InFolder("second"), "rev-parse", "HEAD"), await GitAsync(null, "-C", InFolder("git/project.git"), "rev-parse", "main"));
            Directory.Delete(InFolder("second"), recursive: true);
            return pushed == kept ? null : "git: what was pushed is not there";
        }
        catch (LabException failure)
        {
            return $"git: {failure.Message}";
        }
    }

    /// <summary>curl gives up half way; the service must notice, and the next request be answered.</summary>
    private async Task<string?> AbortAsync()
    {
        for (var i = 0; i < 5; i++)
        {
            var aborted = await LabProcess.RunAsync(_lab.Network.Relay, "curl", ["--silent", "--max-time", "1", .. CurlComparison.ToRelay, "--limit-rate", "1M", "--output", "/dev/null", $"{Url}/bytes/{100 * Megabyte}"]);
            if (aborted.ExitCode != 28) return $"an abort: curl ended with {aborted.ExitCode}";
            var next = await LabProcess.RunAsync(_lab.Network.Relay, "curl", ["--silent", "--max-time", "60", .. CurlComparison.ToRelay, $"{Url}/hello"]);
            if (next.Output != "hello\n") return $"after an abort: \"{next.Output}\" {next.Error}";
        }
        return null;
    }

    private async Task<string> UploadFileAsync(string name, int bytes)
    {
        var file = InFolder(name);
        if (File.Exists(file)) return file;
        await using var stream = File.Create(file);
        var piece = new byte[Megabyte];
        for (var left = bytes; left > 0; left -= piece.Length)
        {
            Random.Shared.NextBytes(piece);
            await stream.WriteAsync(piece.AsMemory(0, Math.Min(left, piece.Length)));
        }
        return file;
    }

    private async Task CommitAsync(string folder, string message)
    {
        await GitAsync(null, "-C", InFolder(folder), "add", "--all");
        await GitAsync(null, "-C", InFolder(folder), "-c", "user.name=lab", "-c", "user.email=lab@lab.test", "commit", "--quiet", "-m", message);
    }

    private async Task<string> GitAsync(NetworkNamespace? inside, params string[] arguments) =>
        (await LabProcess.RunAsync(inside, "git", ["-c", "safe.directory=*", .. arguments])).ThrowIfFailed($"git {string.Join(' ', arguments)}").Output;

    private Dictionary<string, string> GitEnvironment() => new() { ["HOME"] = _folder.FullName, ["GIT_CONFIG_COUNT"] = "1", ["GIT_CONFIG_KEY_0"] = "safe.directory", ["GIT_CONFIG_VALUE_0"] = "*" };

    private string InFolder(string name) => string.Create(CultureInfo.InvariantCulture, $"{_folder.FullName}/{name}");
}
