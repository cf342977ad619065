using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>What developers show: an application for Node, Vite's server with a page in Chromium, a gRPC service; each directly and through the tunnel.</summary>
internal sealed class DevelopmentPrograms : IAsyncDisposable
{
    private const int NodePort = 9300, VitePort = 9301, GrpcPort = 9302;

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60), ShowLimit = TimeSpan.FromSeconds(30);

    // Vite's watcher takes changes of a file within 50 ms for one.
    private static readonly TimeSpan BetweenChanges = TimeSpan.FromMilliseconds(250);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-programs-");
    private readonly BondedLab _lab;
    private readonly List<LabProcess> _services = [];
    private LabProcess _vite = null!;
    private CurlComparison _curl = null!;

    private DevelopmentPrograms(BondedLab lab) => _lab = lab;

    /// <summary>Where ./test installs Vite.</summary>
    private static string Vite => Environment.GetEnvironmentVariable("BONDLINE_VITE") is { Length: > 0 } folder
        ? Path.Combine(folder, "node_modules/vite/bin/vite.js")
        : throw new LabException("BONDLINE_VITE names no folder. Run \"npm ci\" in a copy of tests/Bondline.Samples/Vite, as ./test does, and name that copy.");

    /// <summary>Starts the services, and the agent that leads to them.</summary>
    public static async Task<DevelopmentPrograms> StartAsync(BondedLab lab)
    {
        var programs = new DevelopmentPrograms(lab);
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

    /// <summary>Runs all of them side by side, again and again until <paramref name="isOver"/>.</summary>
    /// <param name="isOver">Asked after each turn of a program.</param>
    /// <returns>What differed; empty if nothing did.</returns>
    public async Task<IReadOnlyList<string>> CompareAsync(Func<bool> isOver)
    {
        var differences = await Task.WhenAll(RepeatAsync(CompareNodeAsync), RepeatAsync(CompareGrpcAsync), CompareViteAsync(isOver));
        return [.. differences.SelectMany(some => some)];

        async Task<IReadOnlyList<string>> RepeatAsync(Func<Task<IReadOnlyList<string>>> compare)
        {
            IReadOnlyList<string> differences;
            do differences = await compare();
            while (differences.Count == 0 && !isOver());
            return differences;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services) await service.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task StartAsync()
    {
        Directory.CreateDirectory(InFolder("vite"));
        foreach (var file in Directory.GetFiles(Sample("Vite"))) File.Copy(file, InFolder($"vite/{Path.GetFileName(file)}"));
        var node = Serve("node", Sample("Node/server.mjs"), $"{NodePort}");
        var grpc = Serve(WebPrograms.Samples, "serve-grpc", $"{GrpcPort}");
        _vite = Serve("node", Vite, InFolder("vite"), "--host", "127.0.0.1", "--port", $"{VitePort}", "--strictPort");
        await Task.WhenAll(node.WaitForLineAsync("listening", StartLimit), grpc.WaitForLineAsync("listening", StartLimit), _vite.WaitForLineAsync("Local:", StartLimit));
        await _lab.StartAgentAsync(3, ["http", $"{NodePort}", $"{VitePort}", $"h2c://127.0.0.1:{GrpcPort}", "--host-header", "rewrite"]);
        await _lab.WaitForAllPathsAsync();
        _curl = await CurlComparison.CreateAsync(_lab, _folder.FullName);
        await using var upload = File.Create(InFolder("upload"));
        var piece = new byte[1_000_000];
        for (var i = 0; i < 5; i++)
        {
            Random.Shared.NextBytes(piece);
            await upload.WriteAsync(piece);
        }
    }

    private async Task<IReadOnlyList<string>> CompareNodeAsync()
    {
        string[] body = ["--data-binary", $"@{InFolder("upload")}", "-H", "Content-Type: application/octet-stream"];
        (string Name, string[] Curl)[] asked =
        [
            ("headers", ["--include", "/hello"]),
            ("a redirection", ["--include", "/moved"]),
            ("no content", ["--include", "/nothing"]),
            ("not found", ["--include", "/none"]),
            ("pieces", ["--no-buffer", "/pieces"]),
            ("an echo", [.. body, "/echo"]),
            ("an echo over TLS", [CurlComparison.Tls, .. body, "/echo"]),
            ("compression", [.. body, "--compressed", "/gzip"]),
            ("a digest", [.. body, "/digest"]),
        ];
        return [.. (await Task.WhenAll(asked.Select(one => _curl.CompareAsync($"Node {one.Name}", one.Curl, NodePort)))).OfType<string>()];
    }

    private async Task<IReadOnlyList<string>> CompareGrpcAsync()
    {
        var direct = await LabProcess.RunAsync(_lab.Network.Laptop, WebPrograms.Samples, ["grpc", $"http://127.0.0.1:{GrpcPort}"]);
        var plain = await LabProcess.RunAsync(_lab.Network.Relay, WebPrograms.Samples, ["grpc", _curl.Visit(GrpcPort), $"{LabNetwork.Address}", _curl.Root]);
        var tls = await LabProcess.RunAsync(_lab.Network.Relay, WebPrograms.Samples, ["grpc", _curl.Visit(GrpcPort, isTls: true), $"{LabNetwork.Address}", _curl.Root]);
        if (direct.ExitCode != 0) return [$"gRPC directly: {direct.Error}"];
        return [.. from run in (ProcessResult[])[plain, tls] where run.ExitCode != 0 || run.Output != direct.Output select $"gRPC: ({run.ExitCode}) {run.Output} {run.Error}, directly {direct.Output}"];
    }

    /// <summary>A page in Chromium shows what is written into a file, again and again, and is never loaded a second time.</summary>
    private async Task<IReadOnlyList<string>> CompareViteAsync(Func<bool> isOver)
    {
        foreach (var path in (string[])["/", "/main.js", "/text.js", "/@vite/client"])
            if (await _curl.CompareAsync($"Vite {path}", [path], VitePort) is { } difference) return [difference];
        await using var browser = LabProcess.Start(_lab.Network.Relay, "chromium",
        [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--remote-debugging-port=0",
            $"--user-data-dir={InFolder("browser")}", $"--host-resolver-rules=MAP *.lab.test {LabNetwork.Address}", $"{_curl.Visit(VitePort)}/",
        ]);
        try
        {
            return await ChangeAsync(isOver) is { } difference ? [difference] : [];
        }
        finally
        {
            // Killed, it would leave processes that still write.
            if (!browser.HasExited) await browser.SignalAsync("TERM");
            await browser.WaitAsync();
        }
    }

    private async Task<string?> ChangeAsync(Func<bool> isOver)
    {
        try
        {
            using var typing = new PeriodicTimer(BetweenChanges);
            var page = await ShownAsync("first");
            for (var change = 1; change <= 5 || !isOver(); change++)
            {
                await typing.WaitForNextTickAsync();
                await File.WriteAllTextAsync(InFolder("vite/text.js"), $"export const text = \"change-{change}\";\n");
                if (await ShownAsync($"change-{change}") != page) return $"Vite: the page was loaded again for change {change}";
            }
            return null;
        }
        catch (LabException missing)
        {
            return $"Vite: {missing.Message}";
        }
    }

    /// <returns>The page that shows it.</returns>
    private async Task<string> ShownAsync(string text) => (await _vite.WaitForLineAsync($" {text}", ShowLimit)).Split(' ')[1];

    private LabProcess Serve(string file, params string[] arguments)
    {
        // Vite colours what it prints where CI is set, between the words too.
        var service = LabProcess.Start(_lab.Network.Laptop, file, arguments, new Dictionary<string, string> { ["NO_COLOR"] = "1" });
        _services.Add(service);
        return service;
    }

    private static string Sample(string path) => Path.Combine(AppContext.BaseDirectory, path);

    private string InFolder(string name) => Path.Combine(_folder.FullName, name);
}
