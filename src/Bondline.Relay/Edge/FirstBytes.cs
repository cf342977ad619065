using System.Buffers.Binary;
using System.Text;

namespace Bondline.Relay;

/// <summary>What a connection to the TLS port begins with.</summary>
internal enum FirstBytesKind
{
    /// <summary>It may become any of the others with more bytes.</summary>
    Incomplete,

    /// <summary>A TLS ClientHello that offers <c>bondline/1</c>: an agent's subflow.</summary>
    Subflow,

    /// <summary>Another ClientHello: a visitor.</summary>
    Tls,

    /// <summary>A plain HTTP request.</summary>
    Http,

    /// <summary>None of these, or a ClientHello over <see cref="FirstBytes.MaxLength"/>.</summary>
    Unknown,
}

/// <summary>Looks at the first bytes of a connection without consuming them: RFC 8446 sections 4.1.2 and 5.1, RFC 7301 (ALPN), RFC 6066 section 3 (SNI).</summary>
/// <param name="Kind">What they are.</param>
/// <param name="ServerName">The SNI of a ClientHello, lower case; null if it has none.</param>
internal readonly record struct FirstBytes(FirstBytesKind Kind, string? ServerName = null)
{
    /// <summary>A ClientHello may take this much, its record headers included; post-quantum ones have about 1.8 kB.</summary>
    public const int MaxLength = 16 << 10;

    private const int RecordHeaderLength = 5, HandshakeHeaderLength = 4, MaxRecordLength = 16_384;
    private const byte HandshakeRecord = 22, ClientHello = 1;
    private const int ServerNameExtension = 0, AlpnExtension = 16;

    private static readonly FirstBytes Incomplete = new(FirstBytesKind.Incomplete), Unknown = new(FirstBytesKind.Unknown);

    /// <param name="input">All bytes received so far, from the first on.</param>
    public static FirstBytes Read(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return Incomplete;
        if (input[0] is >= (byte)'A' and <= (byte)'Z') return ReadMethod(input);
        if (input[0] != HandshakeRecord) return Unknown;
        if (input.Length > 1 && input[1] != 3) return Unknown; // the record's version: 3.x since SSL 3

        // The handshake message may be cut over records anywhere; put it together.
        if (input.Length > MaxLength) input = input[..MaxLength];
        Span<byte> message = stackalloc byte[input.Length];
        var length = 0;
        var rest = input;
        while (rest.Length >= RecordHeaderLength)
        {
            if (rest[0] != HandshakeRecord || rest[1] != 3) return Unknown;
            var recordLength = BinaryPrimitives.ReadUInt16BigEndian(rest[3..]);
            if (recordLength is 0 or > MaxRecordLength) return Unknown;
            var part = rest.Slice(RecordHeaderLength, Math.Min(recordLength, rest.Length - RecordHeaderLength));
            part.CopyTo(message[length..]);
            length += part.Length;
            rest = rest[(RecordHeaderLength + part.Length)..];
            if (length >= HandshakeHeaderLength)
            {
                if (message[0] != ClientHello) return Unknown;
                var total = HandshakeHeaderLength + ((message[1] << 16) | BinaryPrimitives.ReadUInt16BigEndian(message[2..]));
                if (total > MaxLength - RecordHeaderLength) return Unknown;
                if (length >= total) return ReadHello(message[HandshakeHeaderLength..total]);
            }
        }
        if (length > 0 && message[0] != ClientHello) return Unknown;
        return input.Length >= MaxLength ? Unknown : Incomplete;
    }

    private static FirstBytes ReadMethod(ReadOnlySpan<byte> input)
    {
        const int longestMethod = 16; // WebDAV's longest registered ones fit (RFC 8144)
        var end = input.IndexOfAnyExceptInRange((byte)'A', (byte)'Z');
        if (end < 0) return input.Length > longestMethod ? Unknown : Incomplete;
        return end is >= 3 and <= longestMethod && input[end] == ' ' ? new(FirstBytesKind.Http) : Unknown;
    }

    private static FirstBytes ReadHello(ReadOnlySpan<byte> hello)
    {
        var reader = new HelloReader(hello);
        if (!reader.Skip(2 + 32) || !reader.TryVector8(out _) || !reader.TryVector16(out _) || !reader.TryVector8(out _)) return Unknown; // version, random, session id, suites, compression
        if (reader.IsEmpty) return new(FirstBytesKind.Tls);
        if (!reader.TryVector16(out var extensions) || !reader.IsEmpty) return Unknown;

        var isSubflow = false;
        string? serverName = null;
        var extension = new HelloReader(extensions);
        while (!extension.IsEmpty)
        {
            if (!extension.TryUInt16(out var type) || !extension.TryVector16(out var body)) return Unknown;
            if (type == ServerNameExtension && !TryReadServerName(body, out serverName)) return Unknown;
            if (type == AlpnExtension && !TryReadProtocols(body, out isSubflow)) return Unknown;
        }
        return new(isSubflow ? FirstBytesKind.Subflow : FirstBytesKind.Tls, serverName);
    }

    private static bool TryReadServerName(ReadOnlySpan<byte> body, out string? name)
    {
        name = null;
        var reader = new HelloReader(body);
        if (!reader.TryVector16(out var list) || !reader.IsEmpty) return false;
        var entry = new HelloReader(list);
        while (!entry.IsEmpty)
        {
            if (!entry.TryUInt8(out var type) || !entry.TryVector16(out var value)) return false;
            if (type == 0 && value.Length <= 255) name = Encoding.ASCII.GetString(value).ToLowerInvariant();
        }
        return true;
    }

    private static bool TryReadProtocols(ReadOnlySpan<byte> body, out bool hasBondline)
    {
        hasBondline = false;
        var reader = new HelloReader(body);
        if (!reader.TryVector16(out var list) || !reader.IsEmpty) return false;
        var entry = new HelloReader(list);
        while (!entry.IsEmpty)
        {
            if (!entry.TryVector8(out var protocol)) return false;
            hasBondline |= protocol.SequenceEqual("bondline/1"u8);
        }
        return true;
    }

    /// <summary>TLS vectors: a length of one or two bytes, then as many bytes (RFC 8446 section 3.4). False where the input ends too early.</summary>
    private ref struct HelloReader(ReadOnlySpan<byte> input)
    {
        private ReadOnlySpan<byte> _rest = input;

        public readonly bool IsEmpty => _rest.IsEmpty;

        public bool Skip(int count) => Take(count, out _);

        public bool TryUInt8(out int value)
        {
            var isThere = Take(1, out var bytes);
            value = isThere ? bytes[0] : 0;
            return isThere;
        }

        public bool TryUInt16(out int value)
        {
            var isThere = Take(2, out var bytes);
            value = isThere ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : 0;
            return isThere;
        }

        public bool TryVector8(out ReadOnlySpan<byte> bytes)
        {
            bytes = default;
            return TryUInt8(out var length) && Take(length, out bytes);
        }

        public bool TryVector16(out ReadOnlySpan<byte> bytes)
        {
            bytes = default;
            return TryUInt16(out var length) && Take(length, out bytes);
        }

        private bool Take(int count, out ReadOnlySpan<byte> bytes)
        {
            bytes = default;
            if (_rest.Length < count) return false;
            bytes = _rest[..count];
            _rest = _rest[count..];
            return true;
        }
    }
}
