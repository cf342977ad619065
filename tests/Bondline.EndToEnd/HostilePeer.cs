using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bondline.Protocol;

namespace Bondline.EndToEnd;

/// <summary>A subflow's connection to a relay on which anything can be said.</summary>
internal sealed class HostilePeer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Wire _wire;
    private readonly SslStream _tls;
    private byte[] _received = [];
    private byte[] _keyHash = [];

    private HostilePeer(Wire wire) => (_wire, _tls) = (wire, new(wire, leaveInnerStreamOpen: false));

    /// <summary>All that was said so far.</summary>
    public List<byte[]> Sent { get; } = [];

    public static async Task<HostilePeer> ConnectAsync(IPEndPoint relay)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(relay);
        var peer = new HostilePeer(new Wire(socket));
        await peer._tls.AuthenticateAsClientAsync(Options(certificate => peer._keyHash = SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()))).WaitAsync(Patience);
        return peer;
    }

    /// <summary>The first flight of a subflow's TLS handshake.</summary>
    public static async Task<byte[]> ClientHelloAsync()
    {
        var wire = new FirstFlight();
        await using var tls = new SslStream(wire);
        await Assert.ThrowsAsync<IOException>(() => tls.AuthenticateAsClientAsync(Options(_ => { })));
        return wire.Bytes;
    }

    public async Task<WelcomeResult> OpenAsync(Token token)
    {
        var handshake = AgentHandshake.Open(token, Guid.NewGuid(), RandomNumberGenerator.GetBytes(32), _keyHash);
        await RunAsync(handshake);
        return handshake.Welcome!;
    }

    public Task JoinAsync(BondId bond, SecretBytes secret, ulong subflow) =>
        RunAsync(AgentHandshake.Join(bond, secret, new(subflow), SubflowPolicy.Normal, RandomNumberGenerator.GetBytes(32), _keyHash));

    public async Task SendAsync(params byte[][] frames)
    {
        foreach (var frame in frames)
        {
            Sent.Add(frame);
            await _tls.WriteAsync(frame).AsTask().WaitAsync(Patience);
        }
    }

    /// <summary>Says something, then in TLS that nothing follows, and then goes on with what is no TLS; all of it in one piece.</summary>
    public async Task SendBehindTheEndAsync(byte[] frames, byte[] junk)
    {
        using var gathered = new MemoryStream();
        _wire.Gathered = gathered;
        await _tls.WriteAsync(frames);
        await _tls.ShutdownAsync();
        _wire.Gathered = null;
        await _wire.WriteAsync((byte[])[.. gathered.ToArray(), .. junk]).AsTask().WaitAsync(Patience);
    }

    /// <summary>Waits until the relay has closed the connection, in whatever way.</summary>
    public async Task WaitForEndAsync()
    {
        using var late = new CancellationTokenSource(Patience);
        var buffer = new byte[16_384];
        try
        {
            while (await _wire.ReadAsync(buffer, late.Token) > 0)
            {
                // answers to what came before
            }
        }
        catch (IOException)
        {
            // a reset is an end too
        }
    }

    /// <summary>Reads until the relay closes the bond or refuses it.</summary>
    /// <exception cref="EndOfStreamException">It cut the connection without a word.</exception>
    public async Task<ProtocolError> CloseCodeAsync() => (ProtocolError)(await FrameAsync(0x0a)).Numbers().First();

    /// <summary>The relay answers: whatever it thinks of others, this bond is fine.</summary>
    public async Task AssertServedAsync()
    {
        var number = (ulong)RandomNumberGenerator.GetInt32(int.MaxValue);
        await SendAsync(Frame(0x1e, Number(number)));
        Assert.Contains(number, (await FrameAsync(0x20)).Numbers());
    }

    public ValueTask DisposeAsync() => _tls.DisposeAsync();

    public static byte[] Frame(ulong type, params byte[][] body) => [.. Number(type), .. Number((ulong)body.Sum(part => part.Length)), .. body.SelectMany(part => part)];

    public static byte[] Entry(ulong id, params byte[][] value) => Frame(id, value); // the same form: id, length, value

    public static byte[] Hello(ulong lowest = 1, ulong highest = 1) => Frame(0x00, Entry(0, Number(lowest), Number(highest)), Entry(2, RandomNumberGenerator.GetBytes(32)));

    /// <summary>A number in its longest form, which receivers have to take.</summary>
    public static byte[] Number(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value | (3UL << 62));
        return bytes;
    }

    private static SslClientAuthenticationOptions Options(Action<X509Certificate2> seen) => new()
    {
        TargetHost = "relay",
        ApplicationProtocols = [new SslApplicationProtocol("bondline/1")],
        RemoteCertificateValidationCallback = (_, certificate, _, _) =>
        {
            seen((X509Certificate2)certificate!);
            return true;
        },
    };

    private async Task RunAsync(AgentHandshake handshake)
    {
        var buffer = new byte[16_384];
        while (true)
        {
            while (handshake.Transmit(buffer) is > 0 and var length) await SendAsync(buffer[..length]);
            if (handshake.IsComplete) return;
            await ReadAsync();
            _received = _received[handshake.Receive(_received)..];
        }
    }

    private async Task<ReceivedFrame> FrameAsync(ulong wanted)
    {
        while (true)
        {
            while (ReceivedFrame.TryTake(ref _received, out var frame))
                if (frame.Type == wanted)
                    return frame;
            await ReadAsync();
        }
    }

    private async Task ReadAsync()
    {
        var more = new byte[16_384];
        var length = await _tls.ReadAsync(more).AsTask().WaitAsync(Patience);
        if (length == 0) throw new EndOfStreamException("The relay closed the connection.");
        _received = [.. _received, .. more.AsSpan(0, length)];
    }

    private readonly record struct ReceivedFrame(ulong Type, byte[] Body)
    {
        public static bool TryTake(ref byte[] input, out ReceivedFrame frame)
        {
            frame = default;
            var at = 0;
            if (!TryNumber(input, ref at, out var type) || !TryNumber(input, ref at, out var length) || (ulong)(input.Length - at) < length) return false;
            frame = new(type, input[at..(at + (int)length)]);
            input = input[(at + (int)length)..];
            return true;
        }

        /// <summary>The body read as numbers, for as long as there are any.</summary>
        public IEnumerable<ulong> Numbers()
        {
            for (var at = 0; TryNumber(Body, ref at, out var number);) yield return number;
        }

        private static bool TryNumber(byte[] input, ref int at, out ulong number)
        {
            number = 0;
            if (at >= input.Length) return false;
            var length = 1 << (input[at] >> 6);
            if (input.Length - at < length) return false;
            number = (ulong)(input[at] & 0x3f);
            for (var i = 1; i < length; i++) number = (number << 8) | input[at + i];
            at += length;
            return true;
        }
    }

    /// <summary>Takes what a TLS client says first, and ends there.</summary>
    private sealed class Wire(Socket socket) : NetworkStream(socket, ownsSocket: true)
    {
        /// <summary>Takes what is written instead of the socket.</summary>
        public Stream? Gathered { get; set; }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            Gathered?.WriteAsync(buffer, cancellationToken) ?? base.WriteAsync(buffer, cancellationToken);
    }

    private sealed class FirstFlight : Stream
    {
        public byte[] Bytes { get; private set; } = [];

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Bytes.Length == 0) Bytes = buffer.ToArray();
            return default;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(0);

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override void Flush() { }

        public override int Read(byte[] buffer, int offset, int count) => 0;

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Bytes = buffer[offset..(offset + count)];
    }
}
