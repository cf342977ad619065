using System.Text;

namespace Bondline.Protocol;

/// <summary>The frames before a subflow belongs to its bond are each one list of type-length-values, so later versions can add entries.</summary>
/// <remarks>docs/protocol.md, section "Handshake". At most <see cref="MaxLength"/> bytes, header included: nobody is known yet.</remarks>
//  | type (1) | length (2) | entry | entry | ...
internal static class HandshakeFrame
{
    public const int MaxLength = 4096, HeaderLength = 1 + 2;

    /// <summary>All frames of one end during a handshake together, skipped ones included.</summary>
    public const int MaxTotalLength = 16 * 1024;

    /// <summary>Makes the whole frame from its entries.</summary>
    public static byte[] Make(FrameType type, ReadOnlySpan<byte> entries)
    {
        var frame = new byte[HeaderLength + entries.Length];
        if (frame.Length > MaxLength) throw new ProtocolException(ProtocolError.FrameTooLarge, $"A {type} frame would have {frame.Length} bytes.");
        frame[0] = (byte)type;
        VarInt.WriteFixed(frame.AsSpan(1), (ulong)entries.Length, 2);
        entries.CopyTo(frame.AsSpan(HeaderLength));
        return frame;
    }

    /// <summary>Reads the next frame of a handshake.</summary>
    /// <returns>False while it is incomplete.</returns>
    public static bool TryRead(ReadOnlySpan<byte> input, out Frame frame, out int length)
    {
        if (!VarInt.TryRead(input, out _, out var typeLength) || !VarInt.TryRead(input[typeLength..], out var bodyLength, out var lengthLength))
        {
            frame = default;
            length = 0;
            return false;
        }
        if (bodyLength > (ulong)(MaxLength - typeLength - lengthLength))
            throw new ProtocolException(ProtocolError.FrameTooLarge, $"A frame of {bodyLength} bytes before the handshake is over; at most {MaxLength} are allowed.");
        return Frame.TryRead(input, out frame, out length);
    }

    public static ProtocolException Malformed(FrameType type, string what) => new(ProtocolError.FrameMalformed, $"A {type} frame {what}.");
}

/// <summary>HELLO: the versions an end speaks, its features, its nonce. Both ends send theirs at once; their hashes go into every proof, so nothing can be downgraded.</summary>
//  entries: 0 lowest and highest version (two varints) · 2 nonce (32 bytes; the relay's is the challenge) · 1 features (varints)
internal sealed record HelloFrame(ulong MinVersion, ulong MaxVersion, byte[] Nonce, IReadOnlyList<ulong> Features)
{
    public const ulong Version = 1;
    public const int NonceLength = 32, MaxFeatures = 64;

    public byte[] ToBytes()
    {
        var writer = new TlvWriter(stackalloc byte[HandshakeFrame.MaxLength]);
        Span<byte> numbers = stackalloc byte[MaxFeatures * VarInt.MaxLength];
        var length = VarInt.Write(numbers, MinVersion);
        length += VarInt.Write(numbers[length..], MaxVersion);
        writer.Add(0, numbers[..length]);
        writer.Add(2, Nonce);
        length = 0;
        foreach (var feature in Features) length += VarInt.Write(numbers[length..], feature);
        if (length > 0) writer.Add(1, numbers[..length]);
        return HandshakeFrame.Make(FrameType.Hello, writer.Written);
    }

    public static HelloFrame Parse(ReadOnlySpan<byte> body)
    {
        ulong min = 0, max = 0;
        byte[]? nonce = null;
        List<ulong> features = [];
        var entries = new TlvReader(body);
        while (entries.Next())
        {
            switch (entries.Id)
            {
                case 0:
                    if (!VarInt.TryRead(entries.Value, out min, out var minLength) || !VarInt.TryRead(entries.Value[minLength..], out max, out var maxLength) || minLength + maxLength != entries.Value.Length || max < min)
                        throw HandshakeFrame.Malformed(FrameType.Hello, "has no range of versions");
                    break;
                case 2:
                    if (entries.Value.Length != NonceLength) throw HandshakeFrame.Malformed(FrameType.Hello, $"has a nonce of {entries.Value.Length} bytes");
                    nonce = entries.Value.ToArray();
                    break;
                case 1:
                    for (var rest = entries.Value; !rest.IsEmpty;)
                    {
                        if (!VarInt.TryRead(rest, out var feature, out var length) || features.Count == MaxFeatures)
                            throw HandshakeFrame.Malformed(FrameType.Hello, "has a bad list of features");
                        features.Add(feature);
                        rest = rest[length..];
                    }
                    break;
                default:
                    if (entries.MustBeUnderstood) throw HandshakeFrame.Malformed(FrameType.Hello, $"has an entry {entries.Id} that must be understood");
                    break;
            }
        }
        if (entries.IsMalformed || nonce is null || max == 0) throw HandshakeFrame.Malformed(FrameType.Hello, "lacks an entry or is cut off");
        return new(min, max, nonce, features);
    }

    public void CheckVersion(string peer)
    {
        if (Version < MinVersion || Version > MaxVersion)
            throw new ProtocolException(ProtocolError.VersionUnsupported, $"the {peer} speaks protocol versions {MinVersion} to {MaxVersion}, this program speaks {Version}");
    }
}

/// <summary>OPEN: an agent asks for a new bond with its token.</summary>
//  entries: 0 token, as ID.SECRET · 2 agent instance (16 bytes)
internal sealed record OpenFrame(Token Token, Guid Instance)
{
    public byte[] ToBytes()
    {
        var writer = new TlvWriter(stackalloc byte[HandshakeFrame.MaxLength]);
        writer.Add(0, Encoding.ASCII.GetBytes(Token.Format()));
        Span<byte> instance = stackalloc byte[16];
        Instance.TryWriteBytes(instance, bigEndian: true, out _);
        writer.Add(2, instance);
        return HandshakeFrame.Make(FrameType.Open, writer.Written);
    }

    public static OpenFrame Parse(ReadOnlySpan<byte> body)
    {
        Token? token = null;
        Guid? instance = null;
        var entries = new TlvReader(body);
        while (entries.Next())
        {
            switch (entries.Id)
            {
                case 0:
                    if (entries.Value.Length > 128 || !Token.TryParse(Encoding.ASCII.GetString(entries.Value), out token))
                        throw new ProtocolException(ProtocolError.TokenRefused, "the token is not of the form ID.SECRET");
                    break;
                case 2:
                    if (entries.Value.Length != 16) throw HandshakeFrame.Malformed(FrameType.Open, "has a bad instance");
                    instance = new Guid(entries.Value, bigEndian: true);
                    break;
                default:
                    if (entries.MustBeUnderstood) throw HandshakeFrame.Malformed(FrameType.Open, $"has an entry {entries.Id} that must be understood");
                    break;
            }
        }
        if (entries.IsMalformed || token is null || instance is null) throw HandshakeFrame.Malformed(FrameType.Open, "lacks an entry or is cut off");
        return new(token, instance.Value);
    }
}

/// <summary>WELCOME: the relay opened the bond.</summary>
//  entries: 0 bond id (16 bytes) · 2 bond secret (32 bytes) · 4 relay id (varint) · 1 an address to join, as host:port (any number of times)
internal sealed record WelcomeFrame(BondId Bond, SecretBytes Secret, uint RelayId, IReadOnlyList<HostPort> Addresses)
{
    public const int SecretLength = 32, MaxAddresses = 16;

    public byte[] ToBytes()
    {
        var writer = new TlvWriter(stackalloc byte[HandshakeFrame.MaxLength]);
        Span<byte> id = stackalloc byte[BondId.Length];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(id, Bond.Value);
        writer.Add(0, id);
        writer.Add(2, Secret.Bytes);
        writer.Add(4, RelayId);
        foreach (var address in Addresses.Take(MaxAddresses))
        {
            var text = Encoding.ASCII.GetBytes(address.ToString());
            if (HandshakeFrame.HeaderLength + writer.Length + 3 + text.Length > HandshakeFrame.MaxLength) break; // sixteen of the longest names do not fit
            writer.Add(1, text);
        }
        return HandshakeFrame.Make(FrameType.Welcome, writer.Written);
    }

    public static WelcomeFrame Parse(ReadOnlySpan<byte> body)
    {
        BondId? bond = null;
        byte[]? secret = null;
        ulong relay = 0;
        List<HostPort> addresses = [];
        var entries = new TlvReader(body);
        while (entries.Next())
        {
            switch (entries.Id)
            {
                case 0 when entries.Value.Length == BondId.Length:
                    bond = new(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(entries.Value));
                    break;
                case 2 when entries.Value.Length == SecretLength:
                    secret = entries.Value.ToArray();
                    break;
                case 4 when entries.TryReadNumber(out relay) && relay <= uint.MaxValue:
                    break;
                case 1:
                    if (addresses.Count < MaxAddresses && HostPort.TryParse(Encoding.ASCII.GetString(entries.Value), JoinUrl.DefaultPort, out var address)) addresses.Add(address);
                    break;
                default:
                    if (entries.MustBeUnderstood) throw HandshakeFrame.Malformed(FrameType.Welcome, $"has a bad entry {entries.Id}");
                    break;
            }
        }
        if (entries.IsMalformed || bond is null || secret is null) throw HandshakeFrame.Malformed(FrameType.Welcome, "lacks an entry or is cut off");
        return new(bond.Value, new(secret), (uint)relay, addresses);
    }
}

/// <summary>JOIN: an agent brings another subflow to its bond, and proves that it knows the bond's secret. JOINED: the relay proves the same.</summary>
//  JOIN entries: 0 bond id (16 bytes) · 2 subflow id (varint) · 4 policy (varint) · 6 proof (32 bytes)     JOINED entries: 0 proof (32 bytes)
internal sealed record JoinFrame(BondId Bond, SubflowId Subflow, SubflowPolicy Policy, byte[] Proof)
{
    public byte[] ToBytes()
    {
        var writer = new TlvWriter(stackalloc byte[HandshakeFrame.MaxLength]);
        Span<byte> id = stackalloc byte[BondId.Length];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(id, Bond.Value);
        writer.Add(0, id);
        writer.Add(2, Subflow.Value);
        writer.Add(4, (ulong)Policy);
        writer.Add(6, Proof);
        return HandshakeFrame.Make(FrameType.Join, writer.Written);
    }

    public static JoinFrame Parse(ReadOnlySpan<byte> body)
    {
        BondId? bond = null;
        ulong? subflow = null;
        ulong policy = 0;
        byte[]? proof = null;
        var entries = new TlvReader(body);
        while (entries.Next())
        {
            switch (entries.Id)
            {
                case 0 when entries.Value.Length == BondId.Length:
                    bond = new(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(entries.Value));
                    break;
                case 2 when entries.TryReadNumber(out var number):
                    subflow = number;
                    break;
                case 4 when entries.TryReadNumber(out policy) && policy <= (ulong)SubflowPolicy.Off:
                    break;
                case 6 when entries.Value.Length == JoinProof.Length:
                    proof = entries.Value.ToArray();
                    break;
                default:
                    if (entries.MustBeUnderstood) throw HandshakeFrame.Malformed(FrameType.Join, $"has a bad entry {entries.Id}");
                    break;
            }
        }
        if (entries.IsMalformed || bond is null || subflow is null || proof is null) throw HandshakeFrame.Malformed(FrameType.Join, "lacks an entry or is cut off");
        return new(bond.Value, new(subflow.Value), (SubflowPolicy)policy, proof);
    }

    public static byte[] MakeJoined(ReadOnlySpan<byte> proof)
    {
        var writer = new TlvWriter(stackalloc byte[64]);
        writer.Add(0, proof);
        return HandshakeFrame.Make(FrameType.Joined, writer.Written);
    }

    /// <summary>The proof in a JOINED frame.</summary>
    public static byte[] ParseJoined(ReadOnlySpan<byte> body)
    {
        byte[]? proof = null;
        var entries = new TlvReader(body);
        while (entries.Next())
        {
            if (entries.Id == 0 && entries.Value.Length == JoinProof.Length) proof = entries.Value.ToArray();
            else if (entries.MustBeUnderstood) throw HandshakeFrame.Malformed(FrameType.Joined, $"has a bad entry {entries.Id}");
        }
        if (entries.IsMalformed || proof is null) throw HandshakeFrame.Malformed(FrameType.Joined, "lacks its proof or is cut off");
        return proof;
    }
}
