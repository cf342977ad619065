using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Agent.Tests;

/// <summary>A served folder, asked byte by byte by its visitors.</summary>
public sealed class FolderServerTests : IAsyncLifetime
{
    private readonly DirectoryInfo _outside = Directory.CreateTempSubdirectory("bondline-outside-");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-folder-");
    private readonly TestRelay _relay = new();
    private RunningAgent? _running;
    private TestAgent? _agent;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Write("index.html", "<h1>start</h1>");
        Write("app.js", "0123456789");
        Write("data.unknown", "bytes");
        Write("empty.txt", "");
        Write("sub/page.html", "page");
        Write("sub/a<b>&.txt", "odd");
        Write("with space.txt", "space");
        Write(".env", "SECRET");
        Write(".git/config", "SECRET");
        Write(".well-known/security.txt", "contact");
        File.WriteAllText(Path.Combine(_outside.FullName, "secret.txt"), "SECRET");
        Link("out", _outside.FullName);
        Link("out.txt", Path.Combine(_outside.FullName, "secret.txt"));
        Link("up.txt", $"../{_outside.Name}/secret.txt");
        Link("git", ".git");
        Link("loop", "loop");
        Link("in.js", "app.js");
        Link("in", "sub");
        Link("deep", "in/../out");

        LocalTarget.TryParse(_folder.FullName, TunnelKind.Http, out var target);
        _running = new RunningAgent(_relay, new TunnelRequest(target!));
        _agent = await _relay.AgentAsync();
        await _agent.AcceptTunnelAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _running!.DisposeAsync();
        await _relay.DisposeAsync();
        _folder.Delete(recursive: true);
        _outside.Delete(recursive: true);
    }

    [Theory]
    [InlineData("/", "200", "<h1>start</h1>")]
    [InlineData("/app.js", "200", "0123456789")]
    [InlineData("/data.unknown", "200", "bytes")]
    [InlineData("/empty.txt", "200", "")]
    [InlineData("/sub/page.html", "200", "page")]
    [InlineData("/with%20space.txt", "200", "space")]
    [InlineData("/sub/a%3Cb%3E%26.txt", "200", "odd")]
    [InlineData("/sub/../app.js", "200", "0123456789")]
    [InlineData("//app.js", "200", "0123456789")]
    [InlineData("/app.js?../../.env", "200", "0123456789")]
    [InlineData("/.well-known/security.txt", "200", "contact")]
    [InlineData("/in.js", "200", "0123456789")]
    [InlineData("/in/page.html", "200", "page")]
    [InlineData("/missing", "404", "404")]
    [InlineData("/.env", "404", "404")]
    [InlineData("/%2eenv", "404", "404")]
    [InlineData("/.git/config", "404", "404")]
    [InlineData("/sub/../.git/config", "404", "404")]
    [InlineData("/git/config", "404", "404")]
    [InlineData("/out/secret.txt", "404", "404")]
    [InlineData("/out", "404", "404")]
    [InlineData("/out.txt", "404", "404")]
    [InlineData("/up.txt", "404", "404")]
    [InlineData("/deep/secret.txt", "404", "404")]
    [InlineData("/loop", "404", "404")]
    [InlineData("/../OUTSIDE/secret.txt", "404", "404")]
    [InlineData("/%2e%2e/OUTSIDE/secret.txt", "404", "404")]
    [InlineData("/..%2fOUTSIDE%2fsecret.txt", "404", "404")]
    [InlineData("/..%5cOUTSIDE%5csecret.txt", "404", "404")]
    [InlineData("/sub/%2e%2e%2f%2e%2e%2fOUTSIDE/secret.txt", "404", "404")]
    [InlineData("/..;/OUTSIDE/secret.txt", "404", "404")]
    [InlineData("/app.js%00.txt", "400", "")]
    [InlineData("/....//OUTSIDE/secret.txt", "404", "404")]
    [InlineData("/%252e%252e/OUTSIDE/secret.txt", "404", "404")]
    public async Task A_visitor_gets_the_folders_files_and_nothing_else(string path, string status, string body)
    {
        var answer = await AskAsync($"GET {path.Replace("OUTSIDE", _outside.Name, StringComparison.Ordinal)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.StartsWith(body, answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..], StringComparison.Ordinal);
        Assert.DoesNotContain("SECRET", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_without_an_index_is_listed_without_what_is_hidden_or_elsewhere()
    {
        File.Delete(Path.Combine(_folder.FullName, "index.html"));
        var list = await AskAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        foreach (var shown in (string[])["app.js", "sub/", "in.js", "with%20space.txt"]) Assert.Contains($"\"./{shown}\"", list, StringComparison.Ordinal);
        foreach (var hidden in (string[])[".env", ".git", "git", "out", "up.txt", "deep"]) Assert.DoesNotContain($"\"./{hidden}", list, StringComparison.Ordinal);
        var sub = await AskAsync("GET /sub/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.Contains("a&lt;b&gt;&amp;.txt", sub, StringComparison.Ordinal);
        Assert.DoesNotContain("a<b>", sub, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_entry_whose_name_cannot_be_asked_for_is_left_out_and_takes_nothing_with_it()
    {
        // Names that are no UTF-8: .NET itself can neither make nor remove them.
        var sub = Path.Combine(_folder.FullName, "sub");
        await ShellAsync("""cd "$0" && touch "$(printf 'caf\351.txt')" && mkdir "$(printf 'd\351')" """, sub);
        try
        {
            Assert.Equal(4, Directory.GetFileSystemEntries(sub).Length);
            var list = await AskAsync("GET /sub/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 200 ", list, StringComparison.Ordinal);
            Assert.Contains("\"./page.html\"", list, StringComparison.Ordinal);
            Assert.Equal(3, list.Split("<a href=").Length - 1); // with the way up
        }
        finally
        {
            await ShellAsync("rm -r \"$0\"", sub);
        }

        static async Task ShellAsync(string script, string argument)
        {
            using var shell = Process.Start("sh", ["-c", script, argument]);
            await shell.WaitForExitAsync(Stop);
            Assert.Equal(0, shell.ExitCode);
        }
    }

    [Fact]
    public async Task It_takes_requests_as_large_as_a_relay_lets_through()
    {
        var line = await AskAsync($"GET /app.js?{new string('x', (16 << 10) - "GET /app.js? HTTP/1.1\r\n".Length)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", line, StringComparison.Ordinal);
        var headers = string.Concat(Enumerable.Range(0, 256).Select(i => $"X-{i}: {new string('x', 3000)}\r\n"));
        Assert.StartsWith("HTTP/1.1 200 ", await AskAsync($"GET /app.js HTTP/1.1\r\n{headers}Host: a\r\nX-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_is_asked_for_with_its_slash()
    {
        var answer = await AskAsync("GET /sub HTTP/1.1\r\nHost: shop.lab.test\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 301 ", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nLocation: https://shop.lab.test/sub/\r\n", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("OPTIONS")]
    public async Task It_is_read_only(string method)
    {
        var answer = await AskAsync($"{method} /app.js HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 405 ", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nAllow: GET, HEAD\r\n", answer, StringComparison.Ordinal);
        Assert.Equal("0123456789", await File.ReadAllTextAsync(Path.Combine(_folder.FullName, "app.js"), Stop));
    }

    [Fact]
    public async Task Types_ranges_and_revalidation_are_those_of_a_web_server()
    {
        var whole = await AskAsync("HEAD /app.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.Contains("\r\nContent-Type: text/javascript; charset=utf-8\r\n", whole, StringComparison.Ordinal);
        Assert.Contains("\r\nContent-Length: 10\r\n", whole, StringComparison.Ordinal);
        Assert.Contains("\r\nLast-Modified: ", whole, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", whole, StringComparison.Ordinal);
        var tag = whole.Split("\r\n").Single(line => line.StartsWith("ETag: ", StringComparison.Ordinal))["ETag: ".Length..];
        Assert.StartsWith("HTTP/1.1 304 ", await AskAsync($"GET /app.js HTTP/1.1\r\nHost: a\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        var part = await AskAsync("GET /app.js HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 206 ", part, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n234", part, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 416 ", await AskAsync("GET /app.js HTTP/1.1\r\nHost: a\r\nRange: bytes=20-\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.Contains("\r\nContent-Type: application/octet-stream\r\n", await AskAsync("HEAD /data.unknown HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_large_file_waits_for_its_reader_and_what_is_no_file_is_not_opened()
    {
        const int length = 3 << 20;
        await File.WriteAllBytesAsync(Path.Combine(_folder.FullName, "large"), new byte[length], Stop);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Path.Combine(_folder.FullName, "sock")));
        Assert.Contains("\r\nContent-Length: 0\r\n", await AskAsync("GET /sock HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        var answer = await AskAsync("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.Equal(length, answer.Length - answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) - 4);
    }

    [Fact]
    public async Task A_visitor_who_leaves_lets_the_agent_end()
    {
        await using (var visitor = await _agent!.VisitAsync(kind: StreamKind.Http))
        {
            await visitor.WriteAsync("GET /app"u8.ToArray(), Stop);
            visitor.Abort(StreamError.VisitorReset);
        }
        await AskAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        _running!.Drain();
        await _running.EndAsync();
    }

    private async Task<string> AskAsync(string request)
    {
        await using var visitor = await _agent!.VisitAsync(kind: StreamKind.Http);
        await visitor.WriteAsync(Encoding.ASCII.GetBytes(request), Stop);
        using var reader = new StreamReader(visitor, Encoding.Latin1);
        return await reader.ReadToEndAsync(Stop).WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    private void Write(string path, string text)
    {
        var file = Path.Combine(_folder.FullName, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    private void Link(string path, string target) => File.CreateSymbolicLink(Path.Combine(_folder.FullName, path), target);
}
