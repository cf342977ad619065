using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Xunit;

namespace Bondline.Cli.Tests;

/// <summary>docs/attacks.md, row by row: raw bytes to a real relay, with a real agent and a service that keeps what reaches it.</summary>
public sealed class AttackTests(AttackTests.Victim victim) : IClassFixture<AttackTests.Victim>
{
    private const string Next = "GET /next", After = "GET /after";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<string> Names => [.. Attack.All.Select(attack => attack.Name)];

    [Theory, MemberData(nameof(Names))]
    public async Task What_is_tried_gets_what_the_table_says_and_nothing_wrong_reaches_a_tunnel(string name)
    {
        var attack = Attack.All.Single(attack => attack.Name == name);
        victim.Service.Forget();
        await using var visitor = await victim.ConnectAsync();
        var answer = attack.IsHttp2 ? await Http2Visitor.AskAsync(visitor, attack.Sent) : await Http1Async(visitor, attack.Sent);

        // Another visitor, whose request may use a connection to the service that the attack's had used.
        await using var other = await victim.ConnectAsync();
        Assert.Equal("200", await Http1Async(other, $"{After} HTTP/1.1\r\n{Attack.Host}Connection: close\r\n\r\n", isLast: true));

        var reached = victim.Service.Requests.Where(request => request is not (Next or After)).Distinct().Select(request => $"`{request}`").ToList();
        Assert.Equal(attack.Answer, answer);
        if (attack.Reaches.StartsWith("at most ", StringComparison.Ordinal)) Assert.All(reached, request => Assert.Contains(request, attack.Reaches, StringComparison.Ordinal));
        else Assert.Equal(attack.Reaches is "nothing" or "a folder" ? "" : attack.Reaches, string.Join(", ", reached));
        if (attack.Never is { } never) Assert.DoesNotContain(never, victim.Service.Bytes, StringComparison.OrdinalIgnoreCase);
    }

    [Fact, Trait("Mode", "long")] // half a minute
    public async Task A_head_that_never_ends_reaches_nobody_and_is_given_up()
    {
        victim.Service.Forget();
        await using var visitor = await victim.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes($"GET /x HTTP/1.1\r\n{Attack.Host}X: "), Stop);
        var text = new StringBuilder();
        var buffer = new byte[4096];
        while (await visitor.ReadAsync(buffer, Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(60), Stop) is var read and > 0) text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        Assert.StartsWith("HTTP/1.1 408 ", text.ToString(), StringComparison.Ordinal);
        Assert.Empty(victim.Service.Requests);
    }

    [Fact]
    public void The_table_in_the_docs_is_this_one()
    {
        var table = new StringBuilder("| tried | the visitor gets | reaches the local service |\n| --- | --- | --- |\n");
        foreach (var attack in Attack.All) table.Append(CultureInfo.InvariantCulture, $"| {attack.Name} | {attack.Answer} | {attack.Reaches} |\n");
        var fresh = Path.Combine(AppContext.BaseDirectory, "attacks.md");
        File.WriteAllText(fresh, table.ToString());
        var page = File.ReadAllText(Path.Combine(RepositoryRoot(), "docs", "attacks.md"));
        Assert.True(page.EndsWith($"\n\n{table}", StringComparison.Ordinal), $"The table of docs/attacks.md is not that of the test, which is in {fresh}.");
    }

    /// <summary>Statuses, and whether the next request on the same connection has its own answer.</summary>
    private static async Task<string> Http1Async(Stream visitor, string bytes, bool isLast = false)
    {
        var sending = SendAsync(visitor, isLast ? bytes : $"{bytes}{Next} HTTP/1.1\r\n{Attack.Host}Connection: close\r\n\r\n");
        var text = await ReadToEndAsync(visitor);
        await sending;
        var answers = new List<string>();
        while (text.Length > 0)
        {
            var head = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            Assert.True(head > 0 && text.StartsWith("HTTP/1.1 ", StringComparison.Ordinal), text);
            var length = text[..head].Split("\r\n").FirstOrDefault(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase)) is { } line ? int.Parse(line.AsSpan("Content-Length:".Length), CultureInfo.InvariantCulture) : 0;
            var body = text.Substring(head + 4, length);
            Assert.DoesNotContain("root:", body, StringComparison.Ordinal);
            answers.Add(body == Next ? "goes on" : text.Substring("HTTP/1.1 ".Length, 3));
            text = text[(head + 4 + length)..];
        }
        return string.Join(", ", answers);
    }

    // The relay may close while bytes are still being sent.
    private static async Task SendAsync(Stream visitor, string bytes)
    {
        try
        {
            await visitor.WriteAsync(Encoding.Latin1.GetBytes(bytes), Stop);
        }
        catch (IOException)
        {
        }
    }

    private static async Task<string> ReadToEndAsync(Stream visitor)
    {
        var text = new StringBuilder();
        var buffer = new byte[16 << 10];
        try
        {
            while (await visitor.ReadAsync(buffer, Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop) is var read and > 0) text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }
        catch (IOException) // a reset is an end too
        {
        }
        return text.ToString();
    }

    private static string RepositoryRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Bondline.slnx"))) folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("Not inside the repository.");
        return folder;
    }

    /// <summary>A visitor who speaks HTTP/2 by hand.</summary>
    private static class Http2Visitor
    {
        private const int NextStream = 0x10001, Data = 0, Headers = 1, Reset = 3, GoAway = 7;

        private static readonly string[] Errors =
        [
            "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM",
            "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
        ];

        public static async Task<string> AskAsync(Stream visitor, string bytes)
        {
            var next = Http2Bytes.Frame(1, 5, NextStream, Http2Bytes.Headers([(":method", "GET"), (":scheme", "http"), (":authority", "shop.lab.test"), (":path", "/next")]));
            var sending = SendAsync(visitor, bytes + next);
            string? first = null;
            var goesOn = false;
            var header = new byte[9];
            try
            {
                while (first is null || !goesOn) // the answers come in any order
                {
                    await visitor.ReadExactlyAsync(header, Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop);
                    var payload = new byte[(header[0] << 16) | (header[1] << 8) | header[2]];
                    await visitor.ReadExactlyAsync(payload, Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop);
                    var stream = (header[6] << 16) | (header[7] << 8) | header[8];
                    if (header[3] == GoAway)
                    {
                        first = $"connection error: {Errors[payload[7]]}";
                        break;
                    }
                    if (header[3] == Headers && stream != NextStream) first ??= Status(payload);
                    if (header[3] == Reset) first ??= $"reset: {Errors[payload[3]]}";
                    if (header[3] == Data && stream == NextStream && payload.Length > 0)
                    {
                        Assert.Equal(Next, Encoding.Latin1.GetString(payload));
                        goesOn = true;
                    }
                }
            }
            catch (IOException)
            {
                first = "closed";
            }
            await sending;
            // A flood meets one of several limits, and where the relay closes while bytes still come, its reason may be lost.
            return first is "connection error: ENHANCE_YOUR_CALM" or "connection error: INTERNAL_ERROR" ? "closed" : goesOn ? $"{first}, goes on" : first;
        }

        // The static table has some (RFC 7541 appendix A); others come as three digits.
        private static string Status(byte[] block) => block[0] switch
        {
            0x88 => "200",
            0x8c => "400",
            0x8d => "404",
            _ => new string([.. Encoding.Latin1.GetString(block).Where(char.IsAsciiDigit).Take(3)]),
        };
    }

    /// <summary>A relay with two tunnels: <c>shop</c> leads to a service that keeps what reaches it, <c>files</c> to a folder.</summary>
    public sealed class Victim : IAsyncLifetime
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-attacks-");
        private readonly string _address = string.Create(CultureInfo.InvariantCulture, $"127.{RandomNumberGenerator.GetInt32(1, 255)}.{RandomNumberGenerator.GetInt32(256)}.{RandomNumberGenerator.GetInt32(1, 255)}");
        private readonly TestHost _relay = new(), _shop = new(), _files = new();

        internal RecordingService Service { get; } = new();

        public async ValueTask InitializeAsync()
        {
            var data = _folder.CreateSubdirectory("data").FullName;
            var site = _folder.CreateSubdirectory("site");
            var text = "root:of all evil";
            await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "secret"), text);
            await File.WriteAllTextAsync(Path.Combine(site.FullName, ".env"), text);
            await File.WriteAllTextAsync(Path.Combine(site.FullName, "index.txt"), "for all");
            site.CreateSubdirectory("sub");
            File.CreateSymbolicLink(Path.Combine(site.FullName, "out"), "../secret");
            File.CreateSymbolicLink(Path.Combine(site.FullName, "in"), "index.txt");
            Directory.CreateSymbolicLink(Path.Combine(site.FullName, "outside"), _folder.FullName);
            _relay.Start("relay", "--listen", _address, "--https-port", "8443", "--http-port", "8000", "--tcp-ports", "7000-7009", "--data", data, "--domain", "lab.test", "--json");
            var line = await _relay.ErrorLineAsync("Join URL: ");
            _shop.Environment["BONDLINE_RELAY"] = _files.Environment["BONDLINE_RELAY"] = line["Join URL: ".Length..].Replace("lab.test", _address, StringComparison.Ordinal);
            await _shop.Start("http", Service.Port, "--name", "shop", "--json").LineAsync("""{"event":"ready",""");
            await _files.Start("http", site.FullName, "--name", "files", "--json").LineAsync("""{"event":"ready",""");
        }

        public async Task<Stream> ConnectAsync()
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Parse(_address), 8000, Stop);
            return new NetworkStream(socket, ownsSocket: true);
        }

        public async ValueTask DisposeAsync()
        {
            await _files.DisposeAsync();
            await _shop.DisposeAsync();
            await _relay.DisposeAsync();
            await Service.DisposeAsync();
            _folder.Delete(recursive: true);
        }
    }
}
