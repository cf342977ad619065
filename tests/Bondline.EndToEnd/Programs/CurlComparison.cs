using System.Security.Cryptography;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Runs curl against services themselves and through their tunnels, and tells what differed.</summary>
internal sealed class CurlComparison
{
    /// <summary>Argument: the visitor speaks HTTP/2, without TLS. The direct run never does: an ordinary service speaks HTTP/1.1.</summary>
    public const string Http2 = "--http2-prior-knowledge";

    /// <summary>Argument: the visitor uses the relay's TLS port, and HTTP/2.</summary>
    public const string Tls = "--http2";

    // The time; and what belongs to one connection, among it how an empty body is said to be empty.
    private static readonly string[] MayDiffer = ["Date:", "Connection:", "Keep-Alive:", "Transfer-Encoding:", "Content-Length: 0"];

    private readonly BondedLab _lab;
    private readonly string _folder;

    private CurlComparison(BondedLab lab, string folder) => (_lab, _folder) = (lab, folder);

    /// <summary>What makes curl find every host at the relay, as DNS would.</summary>
    public static string[] ToRelay => ["--connect-to", $"::{LabNetwork.Address}:", "--noproxy", "*"];

    /// <summary>The file the relay's root certificate is in.</summary>
    public string Root => Path.Combine(_folder, "root.pem");

    /// <param name="lab">Its agent runs.</param>
    /// <param name="folder">For what curl gets.</param>
    public static async Task<CurlComparison> CreateAsync(BondedLab lab, string folder)
    {
        var comparison = new CurlComparison(lab, folder);
        await File.WriteAllTextAsync(comparison.Root, await lab.RootAsync());
        return comparison;
    }

    /// <summary>Where a visitor finds the service at a local port; with TLS if so asked.</summary>
    public string Visit(int port, bool isTls = false)
    {
        var url = new Uri(_lab.Urls.First(url => url.Key.EndsWith($":{port}", StringComparison.Ordinal)).Value);
        return isTls ? $"https://{url.Host}:{BondedLab.TlsPort}" : $"http://{url.Authority}";
    }

    /// <param name="name">Names what is done, for a person.</param>
    /// <param name="arguments">What curl is told; the last one is a path.</param>
    /// <param name="port">The service's.</param>
    /// <returns>What differed; null if nothing did.</returns>
    public async Task<string?> CompareAsync(string name, string[] arguments, int port = WebPrograms.Port)
    {
        var directRun = RunAsync($"{name} direct", null, [.. arguments[..^1].Except([Http2, Tls]), $"http://127.0.0.1:{port}{arguments[^1]}"]);
        var tunnel = await RunAsync($"{name} tunnel", ToRelay, [.. arguments[..^1], .. Trust(arguments), Visit(port, arguments.Contains(Tls)) + arguments[^1]]);
        var direct = await directRun;
        if (tunnel.Error.Length > 0 || direct.Error.Length > 0) return $"{name}: curl says {direct.Error} {tunnel.Error}";
        return direct.Seen == tunnel.Seen ? null : $"{name}: {direct.Length} bytes directly ({direct.Seen}), {tunnel.Length} through the tunnel ({tunnel.Seen})";
    }

    private string[] Trust(string[] arguments) => arguments.Contains(Tls) ? ["--cacert", Root] : [];

    private async Task<(string Seen, long Length, string Error)> RunAsync(string name, string[]? toRelay, string[] arguments)
    {
        var file = Path.Combine(_folder, name.Replace(' ', '-').Replace('/', '-'));
        var result = await LabProcess.RunAsync(toRelay is null ? _lab.Network.Laptop : _lab.Network.Relay, "curl",
            ["--silent", "--show-error", "--max-time", "900", .. toRelay ?? ["--noproxy", "*"], "--output", file, .. arguments]);
        if (result.ExitCode != 0) return ("", 0, $"({result.ExitCode}) {result.Error.Trim()}");
        var isText = arguments.Contains("--include") || arguments.Contains("--head");
        if (isText) return (await HeadersAsync(file), new FileInfo(file).Length, "");
        await using var stream = File.OpenRead(file);
        return (Convert.ToHexString(await SHA256.HashDataAsync(stream)), stream.Length, "");
    }

    /// <summary>What may not differ of an answer with its headers; those of different names have no order (RFC 9110 section 5.3).</summary>
    private static async Task<string> HeadersAsync(string file)
    {
        var lines = await File.ReadAllLinesAsync(file);
        var headers = lines[1..].TakeWhile(line => line.Length > 0).ToArray();
        var kept = headers.Where(line => !MayDiffer.Any(name => line.StartsWith(name, StringComparison.OrdinalIgnoreCase)));
        return string.Join(" | ", [lines[0], .. kept.OrderBy(line => line[..line.IndexOf(':')], StringComparer.OrdinalIgnoreCase), .. lines[(headers.Length + 1)..]]);
    }
}
