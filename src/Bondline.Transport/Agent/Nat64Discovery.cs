using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Finds how networks that have only IPv6 lead to IPv4 addresses: each is asked for the address of <c>ipv4only.arpa</c> over itself (RFC 7050).</summary>
/// <remarks>The answer is not trusted with more than where to dial: who answers there must show the relay's key. One caller at a time.</remarks>
internal sealed class Nat64Discovery(INetworkPlatform platform)
{
    private const int NamePort = 53, MostServers = 3, Attempts = 2, MaxAnswerBytes = 1232;
    private const ushort TypeAaaa = 28, ClassInternet = 1;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, (IReadOnlyList<IPAddress> Addresses, Nat64Prefix Prefix)> _known = [];

    /// <summary>The interfaces with what is known of them.</summary>
    public IReadOnlyList<InterfaceView> Complete(IReadOnlyList<InterfaceView> interfaces)
    {
        lock (_gate) return [.. interfaces.Select(seen => IsKnown(seen) ? seen with { Nat64 = _known[seen.Name].Prefix } : seen)];
    }

    /// <summary>Asks over every interface that needs it and was not asked with success.</summary>
    /// <returns>Whether something was found.</returns>
    public async Task<bool> FindAsync(IReadOnlyList<InterfaceView> interfaces, CancellationToken cancellationToken)
    {
        var isFound = false;
        foreach (var seen in interfaces)
        {
            if (!seen.HasCarrier || seen.Kind == InterfaceKind.Loopback || seen.Addresses.Count == 0 || seen.Addresses.Any(address => address.AddressFamily == AddressFamily.InterNetwork)) continue;
            lock (_gate)
                if (IsKnown(seen))
                    continue;
            if (await AskAsync(seen, cancellationToken) is not { } prefix) continue;
            lock (_gate) _known[seen.Name] = (seen.Addresses, prefix);
            isFound = true;
        }

        return isFound;
    }

    /// <summary>The question, as it goes on the wire (RFC 1035 section 4).</summary>
    internal static byte[] Question(ushort id)
    {
        byte[] question = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8, .. "ipv4only"u8, 4, .. "arpa"u8, 0, 0, (byte)TypeAaaa, 0, (byte)ClassInternet];
        BinaryPrimitives.WriteUInt16BigEndian(question, id);
        return question;
    }

    /// <summary>Looks for a prefix in an answer, which anybody may have sent.</summary>
    internal static Nat64Prefix? Read(ReadOnlySpan<byte> answer, ushort id)
    {
        if (answer.Length < 12 || BinaryPrimitives.ReadUInt16BigEndian(answer) != id || (answer[2] & 0x80) == 0 || (answer[3] & 0x0F) != 0) return null;
        var questions = BinaryPrimitives.ReadUInt16BigEndian(answer[4..]);
        var records = BinaryPrimitives.ReadUInt16BigEndian(answer[6..]);
        var rest = answer[12..];
        for (var i = 0; i < questions; i++)
            if (!TrySkipName(ref rest) || !TrySkip(ref rest, 4))
                return null;
        for (var i = 0; i < records; i++)
        {
            if (!TrySkipName(ref rest) || rest.Length < 10) return null;
            var type = BinaryPrimitives.ReadUInt16BigEndian(rest);
            var length = BinaryPrimitives.ReadUInt16BigEndian(rest[8..]);
            if (rest.Length < 10 + length) return null;
            if (type == TypeAaaa && length == 16 && Nat64Prefix.TryFind(new IPAddress(rest.Slice(10, 16)), out var prefix)) return prefix;
            rest = rest[(10 + length)..];
        }

        return null;
    }

    private bool IsKnown(InterfaceView seen) => _known.TryGetValue(seen.Name, out var known) && known.Addresses.SequenceEqual(seen.Addresses);

    private async Task<Nat64Prefix?> AskAsync(InterfaceView over, CancellationToken cancellationToken)
    {
        foreach (var server in platform.NameServers.Where(server => server.AddressFamily == AddressFamily.InterNetworkV6 && !IPAddress.IsLoopback(server) && over.CanReach(server)).Take(MostServers))
        {
            for (var attempt = 0; attempt < Attempts; attempt++)
            {
                using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                time.CancelAfter(Patience);
                try
                {
                    using var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
                    if (platform.Bind(socket, over.Name) != SocketError.Success) return null;
                    await socket.ConnectAsync(new IPEndPoint(server, NamePort), time.Token); // so that nobody else's answer comes in
                    var id = BinaryPrimitives.ReadUInt16BigEndian(RandomNumberGenerator.GetBytes(sizeof(ushort)));
                    await socket.SendAsync(Question(id), SocketFlags.None, time.Token);
                    var answer = new byte[MaxAnswerBytes];
                    var length = await socket.ReceiveAsync(answer, SocketFlags.None, time.Token);
                    if (Read(answer.AsSpan(0, length), id) is { } prefix) return prefix;
                    break; // it has answered: there is none
                }
                catch (Exception silent) when (silent is SocketException || (silent is OperationCanceledException && !cancellationToken.IsCancellationRequested))
                {
                    // the next one
                }
            }
        }

        return null;
    }

    private static bool TrySkipName(ref ReadOnlySpan<byte> rest)
    {
        while (!rest.IsEmpty)
        {
            var length = rest[0];
            if (length >= 0xC0) return TrySkip(ref rest, 2); // the rest of the name is elsewhere
            if (!TrySkip(ref rest, 1 + length)) return false;
            if (length == 0) return true;
        }

        return false;
    }

    private static bool TrySkip(ref ReadOnlySpan<byte> rest, int length)
    {
        if (rest.Length < length) return false;
        rest = rest[length..];
        return true;
    }
}
