using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class TokenSocketTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_request_gets_its_answer()
    {
        await using var socket = Open(request => new TokenReply(JoinUrl: $"{request.Verb} {request.Name} {request.Host}"));
        var reply = await TokenSocket.AskAsync(_folder.Path, new(TokenVerb.Create, "laptop", "relay.example"), Stop);
        Assert.Equal("Create laptop relay.example", reply?.JoinUrl);
    }

    [Fact]
    public async Task What_the_relay_refuses_is_thrown_where_it_was_asked()
    {
        await using var socket = Open(_ => throw new RelayException("token-exists", "there is one", "take another"));
        var error = await Assert.ThrowsAsync<RelayException>(() => TokenSocket.AskAsync(_folder.Path, new(TokenVerb.Create, "laptop"), Stop));
        Assert.Equal(("token-exists", "there is one", "take another"), (error.Code, error.Message, error.Next));
    }

    [Fact]
    public async Task A_bug_ends_neither_the_socket_nor_the_relay()
    {
        var calls = 0;
        await using var socket = Open(_ => calls++ == 0 ? throw new InvalidOperationException("bug") : new TokenReply(JoinUrl: "fine"));
        Assert.Equal("internal", (await Assert.ThrowsAsync<RelayException>(() => TokenSocket.AskAsync(_folder.Path, new(TokenVerb.List), Stop))).Code);
        Assert.Equal("fine", (await TokenSocket.AskAsync(_folder.Path, new(TokenVerb.List), Stop))?.JoinUrl);
    }

    [Theory]
    [InlineData("garbage\n")]
    [InlineData("{\"verb\":\"explode\"}\n")]
    [InlineData("")]
    public async Task Garbage_is_survived(string line)
    {
        await using var socket = Open(_ => new TokenReply(JoinUrl: "fine"));
        using (var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            await client.ConnectAsync(new UnixDomainSocketEndPoint(_folder["control.sock"]), Stop);
            await client.SendAsync(Encoding.UTF8.GetBytes(line), Stop);
            client.Shutdown(SocketShutdown.Send);
            Assert.Equal(0, await client.ReceiveAsync(new byte[16], Stop)); // closed without an answer
        }
        Assert.Equal("fine", (await TokenSocket.AskAsync(_folder.Path, new(TokenVerb.List), Stop))?.JoinUrl);
    }

    [Fact]
    public async Task Only_the_relays_user_may_open_it()
    {
        await using var socket = Open(_ => new TokenReply());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["control.sock"]));
    }

    [Fact]
    public async Task No_relay_is_no_error_not_even_where_one_was_killed()
    {
        Assert.Null(await TokenSocket.AskAsync(_folder.Path, new(TokenVerb.List), Stop));
        using (var killed = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            killed.Bind(new UnixDomainSocketEndPoint(_folder["other"]));
            File.Move(_folder["other"], _folder["control.sock"]); // or closing it would remove the file
        }
        Assert.Null(await TokenSocket.AskAsync(_folder.Path, new(TokenVerb.List), Stop));
        await using var socket = Open(_ => new TokenReply(JoinUrl: "fine"));
        Assert.Equal("fine", (await TokenSocket.AskAsync(_folder.Path, new(TokenVerb.List), Stop))?.JoinUrl);
    }

    [Fact]
    public async Task A_listener_that_cannot_accept_is_asked_again_after_a_while_and_not_at_once()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        listener.Server.Shutdown(SocketShutdown.Both); // from here on accepting fails at once, as where a process has no descriptor left
        var (time, log) = (new ManualTime(), new LogWatch());
        var failed = log.NextAsync(LogWatch.AcceptFailed);
        await using var socket = await Task.Run(() => new TokenSocket(listener.Server, _ => Task.FromResult(new TokenReply()), time, log)).WaitAsync(TimeSpan.FromSeconds(20), Stop);
        await failed;
        for (var i = 0; i < 100; i++) await Task.Yield(); // a loop would be round some thousand times
        Assert.Equal(1, log.Count(LogWatch.AcceptFailed));
        failed = log.NextAsync(LogWatch.AcceptFailed);
        while (!failed.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }
        await failed;
    }

    private TokenSocket Open(Func<TokenRequest, TokenReply> answer) => new(TokenSocket.Listen(_folder.Path), request => Task.FromResult(answer(request)), TimeProvider.System, NullLogger.Instance);
}
