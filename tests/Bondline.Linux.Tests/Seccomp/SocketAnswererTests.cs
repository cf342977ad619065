using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Bondline.Linux.Tests.Seccomp;

/// <summary>The whole of it within one process: a thread behind the filter, another one that answers.</summary>
public sealed class SocketAnswererTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    // .NET's own thread for sockets is started by the first one: on a test's thread it would be behind the filter, for good.
    static SocketAnswererTests()
    {
        using var first = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    }

    [Fact]
    public async Task TCP_sockets_of_the_filtered_thread_are_MPTCP_and_all_others_as_ever()
    {
        using var thread = FilteredThread.TryStart(out var refusal);
        Assert.Equal(SeccompRefusal.None, refusal);
        using var listener = thread!.Listener;
        var answerer = new SocketAnswerer(listener);
        var answering = AnswerAsync(answerer);
        var seen = thread.Finish(() =>
        {
            using var datagrams = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            using var local = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            return (SocketFilter.IsAnswered, Protocol(datagrams), Protocol(local));
        });
        Assert.Equal((true, 17, 0), seen);
        Assert.False(SocketFilter.IsAnswered); // here, on another thread
        await answering.WaitAsync(Limit); // the thread has ended, and with it the only one behind the filter
        Assert.Equal(new AnswerCounts { Multipath = 1 }, answerer.Counts);
    }

    [Fact]
    public async Task They_connect_and_have_the_flags_that_were_asked_for()
    {
        using var thread = FilteredThread.TryStart(out _);
        using var listener = thread!.Listener;
        var answering = AnswerAsync(new SocketAnswerer(listener));
        using var server = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        server.Listen();
        using var near = thread.Finish(() =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Connect(server.LocalEndPoint!);
            return socket;
        });
        using var far = await server.AcceptAsync();
        Assert.True(MultipathSocket.IsMultipath(near));
        Assert.True(MultipathSocket.IsMultipath(far));
        var flags = await File.ReadAllLinesAsync($"/proc/self/fdinfo/{near.Handle}");
        const int CloseOnExec = 0x80000;
        Assert.NotEqual(0, Convert.ToInt32(flags.Single(line => line.StartsWith("flags:", StringComparison.Ordinal)).Split('\t')[1], 8) & CloseOnExec); // .NET asks for it
        await answering.WaitAsync(Limit);
    }

    [Fact]
    public async Task Whatever_goes_wrong_at_one_call_the_next_one_is_answered()
    {
        using var thread = FilteredThread.TryStart(out _);
        using var listener = thread!.Listener;
        var calls = 0;
        var answerer = new SocketAnswerer(listener, () =>
        {
            if (++calls == 1) throw new OutOfMemoryException(); // as .NET says that there is no room for another thread
        });
        var answering = AnswerAsync(answerer);
        var seen = Task.Run(() => thread.Finish(() => (MakesMultipath(), MakesMultipath())));
        await (await Task.WhenAny(seen, answering)).WaitAsync(Limit); // an answerer that fails leaves the thread waiting
        Assert.Equal((false, true), await seen.WaitAsync(Limit));
        await answering.WaitAsync(Limit);
        Assert.Equal(new AnswerCounts { Multipath = 1, Refused = 1 }, answerer.Counts);

        static bool MakesMultipath()
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            return Protocol(socket) == 262; // IPPROTO_MPTCP
        }
    }

    [Fact]
    public void There_can_be_one_listener_only()
    {
        using var thread = FilteredThread.TryStart(out _);
        using var listener = thread!.Listener;
        Assert.Equal((true, SeccompRefusal.Taken), thread.Finish(() => (FilteredThread.TryStart(out var refusal) is null, refusal)));
    }

    [Fact]
    public void Nobody_waits_for_an_answerer_that_is_gone()
    {
        using var thread = FilteredThread.TryStart(out _);
        thread!.Listener.Dispose();
        var error = thread.Finish(() => Assert.Throws<SocketException>(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)));
        Assert.NotEqual(0, error.NativeErrorCode); // ENOSYS
    }

    private static Task AnswerAsync(SocketAnswerer answerer) => Task.Factory.StartNew(
        () =>
        {
            using var nobody = File.OpenHandle("/dev/null", access: FileAccess.ReadWrite);
            answerer.Run(nobody);
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static int Protocol(Socket socket)
    {
        Span<byte> value = stackalloc byte[sizeof(int)];
        socket.GetRawSocketOption(1, 38, value);
        return BitConverter.ToInt32(value);
    }
}
