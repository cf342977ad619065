using System.Buffers.Binary;
using System.Net.Sockets;
using Xunit;

namespace Bondline.Linux.Tests.Rtnetlink;

/// <summary>What the monitor asks and believes, with answers that the kernel rarely gives.</summary>
public sealed class InterfaceMonitorTests : IDisposable
{
    private const int NotSupported = 95, Busy = 16; // EOPNOTSUPP, EBUSY
    private const ushort MultiPart = 0x2, DumpInterrupted = 0x10;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly FakeKernel _kernel = new();

    [Fact]
    public async Task A_refusal_for_the_moment_is_no_empty_answer()
    {
        _kernel.Answers.Enqueue(type => End(type, Busy));
        using var monitor = new InterfaceMonitor(_kernel.Open);
        var picture = await NextAsync(monitor);
        Assert.Equal("lo", Assert.Single(picture).Link.Name);
        Assert.Equal(2, _kernel.Opened); // on the old socket a dump may still be under way
        Assert.Equal([NetlinkType.GetLink, NetlinkType.GetLink, NetlinkType.GetAddress, NetlinkType.GetRoute], _kernel.Asked);
    }

    [Fact]
    public async Task A_dump_that_broke_off_at_its_end_is_asked_again()
    {
        _kernel.Answers.Enqueue(FakeKernel.Whole);
        _kernel.Answers.Enqueue(_ => [FakeKernel.Message(NetlinkType.Done, MultiPart, FakeKernel.Number(-12))]); // ENOMEM
        using var monitor = new InterfaceMonitor(_kernel.Open);
        Assert.Single(await NextAsync(monitor));
        Assert.Equal([NetlinkType.GetLink, NetlinkType.GetAddress, NetlinkType.GetLink, NetlinkType.GetAddress, NetlinkType.GetRoute], _kernel.Asked);
    }

    [Fact]
    public async Task A_refusal_for_good_is_an_empty_answer()
    {
        _kernel.Answers.Enqueue(FakeKernel.Whole);
        _kernel.Answers.Enqueue(type => End(type, NotSupported));
        using var monitor = new InterfaceMonitor(_kernel.Open);
        Assert.Empty(Assert.Single(await NextAsync(monitor)).Addresses);
        Assert.Equal(1, _kernel.Opened);
    }

    [Theory]
    [InlineData(MultiPart | DumpInterrupted, MultiPart)]
    [InlineData(MultiPart, MultiPart | DumpInterrupted)]
    public async Task A_dump_that_was_interrupted_anywhere_is_asked_again(ushort middle, ushort end)
    {
        _kernel.Answers.Enqueue(_ => [FakeKernel.Message(NetlinkType.NewLink, middle, FakeKernel.Loopback), FakeKernel.Done(end)]);
        using var monitor = new InterfaceMonitor(_kernel.Open);
        Assert.Single(await NextAsync(monitor));
        Assert.Equal([NetlinkType.GetLink, NetlinkType.GetLink, NetlinkType.GetAddress, NetlinkType.GetRoute], _kernel.Asked);
        Assert.Equal(1, _kernel.Opened);
    }

    [Fact]
    public async Task Routes_are_asked_for_again_where_an_event_does_not_tell_them()
    {
        _kernel.Answers.Enqueue(FakeKernel.Whole);
        _kernel.Answers.Enqueue(FakeKernel.Whole);
        _kernel.Answers.Enqueue(_ => [FakeKernel.Done(), FakeKernel.Message(NetlinkType.DeleteRoute, 0, FakeKernel.Route6)]);
        using var monitor = new InterfaceMonitor(_kernel.Open);
        await NextAsync(monitor);
        await NextAsync(monitor);
        Assert.Equal([NetlinkType.GetLink, NetlinkType.GetAddress, NetlinkType.GetRoute, NetlinkType.GetRoute], _kernel.Asked);
    }

    [Fact]
    public async Task Routes_are_asked_for_again_if_a_link_changed_while_they_were_read()
    {
        _kernel.Answers.Enqueue(FakeKernel.Whole);
        _kernel.Answers.Enqueue(FakeKernel.Whole);
        _kernel.Answers.Enqueue(_ => [FakeKernel.Message(NetlinkType.DeleteLink, 0, FakeKernel.Loopback), FakeKernel.Done()]);
        using var monitor = new InterfaceMonitor(_kernel.Open);
        Assert.Empty(await NextAsync(monitor));
        await NextAsync(monitor);
        Assert.Equal([NetlinkType.GetLink, NetlinkType.GetAddress, NetlinkType.GetRoute, NetlinkType.GetRoute], _kernel.Asked);
    }

    [Fact]
    public async Task After_what_cannot_be_read_everything_is_asked_on_another_socket()
    {
        _kernel.Answers.Enqueue(type => [FakeKernel.Whole(type)[0][..^1]]);
        using var monitor = new InterfaceMonitor(_kernel.Open);
        Assert.Single(await NextAsync(monitor));
        Assert.Equal(2, _kernel.Opened);
    }

    [Fact]
    public async Task A_kernel_that_always_refuses_is_not_asked_for_ever()
    {
        for (var attempt = 0; attempt < 100; attempt++) _kernel.Answers.Enqueue(type => End(type, Busy));
        using var monitor = new InterfaceMonitor(_kernel.Open);
        await Assert.ThrowsAsync<SocketException>(() => NextAsync(monitor));
        Assert.InRange(_kernel.Opened, 2, 20);
    }

    [Fact]
    public async Task What_can_never_be_read_is_not_asked_for_ever()
    {
        for (var attempt = 0; attempt < 100; attempt++) _kernel.Answers.Enqueue(type => [FakeKernel.Whole(type)[0][..^1]]);
        using var monitor = new InterfaceMonitor(_kernel.Open);
        await Assert.ThrowsAsync<NetlinkFormatException>(() => NextAsync(monitor));
        Assert.InRange(_kernel.Opened, 2, 20);
    }

    public void Dispose() => _kernel.Dispose();

    private static Task<IReadOnlyList<NetworkInterfaceState>> NextAsync(InterfaceMonitor monitor) => monitor.NextAsync(CancellationToken.None).AsTask().WaitAsync(Patience);

    private static byte[][] End(NetlinkType asked, int error) =>
        [FakeKernel.Message(NetlinkType.Error, 0, [.. FakeKernel.Number(-error), .. FakeKernel.Message(asked, 0, new byte[LinkMessage.FixedLength])])];

    /// <summary>The other end of the monitor's sockets: answers each request as the next of <see cref="Answers"/> says, in the end with loopback and nothing else.</summary>
    private sealed class FakeKernel : IDisposable
    {
        private static int _made;

        private readonly List<Socket> _ends = [];

        public Queue<Func<NetlinkType, byte[][]>> Answers { get; } = new();

        public List<NetlinkType> Asked { get; } = [];

        public int Opened { get; private set; }

        public Socket Open()
        {
            Opened++;
            var number = Interlocked.Increment(ref _made);
            var (near, far) = (Name($"near-{number}"), Name($"far-{number}"));
            var (client, kernel) = (Datagram(near), Datagram(far));
            client.Connect(far);
            kernel.Connect(near);
            _ = AnswerAsync(kernel);
            return client;
        }

        public static byte[][] Whole(NetlinkType asked) => asked == NetlinkType.GetLink
            ? [Message(NetlinkType.NewLink, MultiPart, Loopback), Done()]
            : [Done()];

        public static byte[] Done(ushort flags = MultiPart) => Message(NetlinkType.Done, flags, Number(0));

        /// <summary>With the sequence to be filled in.</summary>
        public static byte[] Message(NetlinkType type, ushort flags, byte[] payload)
        {
            var message = new byte[NetlinkMessage.HeaderLength + payload.Length];
            BinaryPrimitives.WriteInt32LittleEndian(message, message.Length);
            BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(4), (ushort)type);
            BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(6), flags);
            payload.CopyTo(message, NetlinkMessage.HeaderLength);
            return message;
        }

        public static byte[] Number(int number)
        {
            var bytes = new byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
            return bytes;
        }

        // ARPHRD_LOOPBACK, interface 1, IFF_UP | IFF_LOOPBACK; IFLA_IFNAME "lo"
        public static byte[] Loopback => Convert.FromHexString("0000040301000000090000000000000007000300" + "6C6F0000");

        // default of IPv6 in table main through interface 1
        public static byte[] Route6 => Convert.FromHexString("0A000000FE030001000000000800040001000000");

        private async Task AnswerAsync(Socket kernel)
        {
            lock (_ends) _ends.Add(kernel);
            var request = new byte[256];
            try
            {
                while (await kernel.ReceiveAsync(request) > 0)
                {
                    var asked = (NetlinkType)BinaryPrimitives.ReadUInt16LittleEndian(request.AsSpan(4));
                    Asked.Add(asked);
                    foreach (var datagram in Answers.TryDequeue(out var answer) ? answer(asked) : Whole(asked))
                    {
                        if (datagram.Length >= 12) request.AsSpan(8, 4).CopyTo(datagram.AsSpan(8));
                        await kernel.SendAsync(datagram);
                    }
                }
            }
            catch (Exception over) when (over is SocketException or ObjectDisposedException)
            {
                // that socket was given up
            }
        }

        public void Dispose()
        {
            lock (_ends)
                foreach (var end in _ends)
                    end.Dispose();
        }

        private static UnixDomainSocketEndPoint Name(string name) => new($"\0bondline-test-{Environment.ProcessId}-{name}");

        private static Socket Datagram(UnixDomainSocketEndPoint name)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.Bind(name);
            return socket;
        }
    }
}
