using System.Security.Cryptography;

namespace Bondline.Protocol;

/// <summary>What an agent learns when its bond is opened.</summary>
public sealed record WelcomeResult(BondId BondId, SecretBytes BondSecret, uint RelayId, IReadOnlyList<HostPort> Addresses);

/// <summary>The agent's side of a subflow's handshake, inside TLS: HELLO at once, then OPEN or JOIN, until WELCOME or a proven JOINED.</summary>
/// <remarks>No I/O, clock or randomness: nonces come in. Resuming a bond whose subflows are all gone is a JOIN. Not thread-safe. docs/protocol.md, section "Handshake".</remarks>
public sealed class AgentHandshake
{
    private readonly HandshakeOutput _output = new();
    private readonly byte[] _hello, _relayKeyHash;
    private int _received;
    private readonly OpenFrame? _open;
    private readonly (BondId Bond, SecretBytes Secret, SubflowId Subflow, SubflowPolicy Policy)? _join;
    private byte[]? _relayHello;

    private AgentHandshake(OpenFrame? open, (BondId, SecretBytes, SubflowId, SubflowPolicy)? join, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> relayKeyHash)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(nonce.Length, HelloFrame.NonceLength);
        _open = open;
        _join = join;
        ArgumentOutOfRangeException.ThrowIfNotEqual(relayKeyHash.Length, KeyPin.Length);
        _relayKeyHash = relayKeyHash.ToArray();
        _hello = new HelloFrame(HelloFrame.Version, HelloFrame.Version, nonce.ToArray(), []).ToBytes();
        _output.Add(_hello);
    }

    /// <summary>Asks for a new bond.</summary>
    /// <param name="token">The credential; the caller has checked the relay's key before.</param>
    /// <param name="instance">The agent instance: the same over restarts.</param>
    /// <param name="nonce">32 random bytes.</param>
    /// <param name="relayKeyHash">SHA-256 of the public key the relay showed in TLS.</param>
    public static AgentHandshake Open(Token token, Guid instance, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> relayKeyHash) =>
        new(new(token, instance), null, nonce, relayKeyHash);

    /// <summary>Brings another subflow to a bond.</summary>
    /// <param name="bond">The bond.</param>
    /// <param name="secret">Its secret.</param>
    /// <param name="subflow">An id never used in the bond.</param>
    /// <param name="policy">What the relay may use the subflow for.</param>
    /// <param name="nonce">32 random bytes.</param>
    /// <param name="relayKeyHash">SHA-256 of the public key the relay showed in TLS.</param>
    public static AgentHandshake Join(BondId bond, SecretBytes secret, SubflowId subflow, SubflowPolicy policy, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> relayKeyHash) =>
        new(null, (bond, secret, subflow, policy), nonce, relayKeyHash);

    /// <summary>Everything was sent and proven; what follows is the bond's.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>After <see cref="Open"/>: the new bond.</summary>
    public WelcomeResult? Welcome { get; private set; }

    /// <returns>The bytes to send now; 0: nothing.</returns>
    public int Transmit(Span<byte> destination) => _output.CopyTo(destination);

    /// <summary>Takes what the relay sent.</summary>
    /// <returns>The bytes consumed; once <see cref="IsComplete"/>, the rest belongs to the bond.</returns>
    /// <exception cref="ProtocolException">The relay refused (its code and reason), failed its proof, or broke the protocol.</exception>
    public int Receive(ReadOnlySpan<byte> input)
    {
        var consumed = 0;
        while (!IsComplete && HandshakeFrame.TryRead(input[consumed..], out var frame, out var length))
        {
            HandleFrame(frame, input.Slice(consumed, length));
            consumed += length;
            _received += length;
            if (_received > HandshakeFrame.MaxTotalLength)
                throw new ProtocolException(ProtocolError.FrameTooLarge, $"Over {HandshakeFrame.MaxTotalLength} bytes before the handshake is over.");
        }
        return consumed;
    }

    private void HandleFrame(Frame frame, ReadOnlySpan<byte> whole)
    {
        switch (frame.Type)
        {
            case FrameType.Close:
                var close = CloseFrame.Parse(frame);
                throw new ProtocolException(close.Code, close.Reason);
            case FrameType.Hello when _relayHello is null:
                HelloFrame.Parse(frame.Body).CheckVersion("relay");
                _relayHello = whole.ToArray();
                Answer();
                return;
            case FrameType.Welcome when _relayHello is not null && _open is not null:
                var welcome = WelcomeFrame.Parse(frame.Body);
                Welcome = new(welcome.Bond, welcome.Secret, welcome.RelayId, welcome.Addresses);
                IsComplete = true;
                return;
            case FrameType.Joined when _relayHello is not null && _join is { } join:
                var expected = JoinProof.Compute(BondRole.Relay, join.Secret, _hello, _relayHello, join.Bond, join.Subflow, join.Policy, _relayKeyHash);
                if (!CryptographicOperations.FixedTimeEquals(JoinFrame.ParseJoined(frame.Body), expected))
                    throw new ProtocolException(ProtocolError.JoinProof, "the relay does not know the bond's secret");
                IsComplete = true;
                return;
            default:
                if (((ulong)frame.Type & 1) == 0) throw new ProtocolException(ProtocolError.FrameOutOfState, $"the relay sent a {frame.Type} frame during the handshake");
                return;
        }
    }

    private void Answer()
    {
        if (_open is not null)
        {
            _output.Add(_open.ToBytes());
            return;
        }
        var (bond, secret, subflow, policy) = _join!.Value;
        _output.Add(new JoinFrame(bond, subflow, policy, JoinProof.Compute(BondRole.Agent, secret, _hello, _relayHello, bond, subflow, policy, _relayKeyHash)).ToBytes());
    }
}
