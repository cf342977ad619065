using System.Security.Cryptography;

namespace Bondline.Protocol;

/// <summary>An agent asks for a new bond.</summary>
public sealed record OpenRequest(Token Token, Guid Instance);

/// <summary>An agent brings a subflow to a bond; its proof is checked by <see cref="RelayHandshake.AcceptJoin"/>.</summary>
public sealed record JoinRequest(BondId Bond, SubflowId Subflow, SubflowPolicy Policy);

/// <summary>The relay's side of a subflow's handshake: HELLO with a fresh challenge, then an answer to the agent's OPEN or JOIN.</summary>
/// <remarks>Every byte before the answer is hostile: frames have at most 4 KiB, come once and in order. No I/O, clock or randomness. Not thread-safe. docs/protocol.md, section "Handshake".</remarks>
public sealed class RelayHandshake
{
    private readonly HandshakeOutput _output = new();
    private readonly byte[] _hello, _relayKeyHash;
    private int _received;
    private byte[]? _agentHello;
    private JoinFrame? _join;

    /// <param name="challenge">32 fresh random bytes.</param>
    /// <param name="relayKeyHash">SHA-256 of the relay's public key.</param>
    public RelayHandshake(ReadOnlySpan<byte> challenge, ReadOnlySpan<byte> relayKeyHash)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(challenge.Length, HelloFrame.NonceLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(relayKeyHash.Length, KeyPin.Length);
        _relayKeyHash = relayKeyHash.ToArray();
        _hello = new HelloFrame(HelloFrame.Version, HelloFrame.Version, challenge.ToArray(), []).ToBytes();
        _output.Add(_hello);
    }

    /// <summary>Set once the agent asked; answer with <see cref="AcceptOpen"/> or <see cref="Refuse"/>.</summary>
    public OpenRequest? Open { get; private set; }

    /// <summary>Set once the agent asked; answer with <see cref="AcceptJoin"/> or <see cref="Refuse"/>.</summary>
    public JoinRequest? Join { get; private set; }

    /// <summary>Accepted; send what <see cref="Transmit"/> has, then the subflow is the bond's.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Refused; send what <see cref="Transmit"/> has and close.</summary>
    public bool IsRefused { get; private set; }

    /// <returns>The bytes to send now; 0: nothing.</returns>
    public int Transmit(Span<byte> destination) => _output.CopyTo(destination);

    /// <summary>Takes what the agent sent, up to its OPEN or JOIN.</summary>
    /// <returns>The bytes consumed; after OPEN or JOIN the rest belongs to the bond.</returns>
    /// <exception cref="ProtocolException">The agent broke the protocol: <see cref="Refuse"/> with its code.</exception>
    public int Receive(ReadOnlySpan<byte> input)
    {
        var consumed = 0;
        while (Open is null && Join is null && !IsRefused && HandshakeFrame.TryRead(input[consumed..], out var frame, out var length))
        {
            HandleFrame(frame, input.Slice(consumed, length));
            consumed += length;
            _received += length;
            if (_received > HandshakeFrame.MaxTotalLength)
                throw new ProtocolException(ProtocolError.FrameTooLarge, $"Over {HandshakeFrame.MaxTotalLength} bytes before the handshake is over.");
        }
        return consumed;
    }

    public void AcceptOpen(BondId bond, SecretBytes secret, uint relayId, IReadOnlyList<HostPort> addresses)
    {
        _output.Add(new WelcomeFrame(bond, secret, relayId, addresses).ToBytes());
        IsComplete = true;
    }

    /// <returns>False if the agent's proof is wrong; the refusal is then queued.</returns>
    public bool AcceptJoin(SecretBytes secret)
    {
        var join = _join ?? throw new InvalidOperationException("No JOIN was received.");
        var expected = JoinProof.Compute(BondRole.Agent, secret, _agentHello, _hello, join.Bond, join.Subflow, join.Policy, _relayKeyHash);
        if (!CryptographicOperations.FixedTimeEquals(join.Proof, expected))
        {
            Refuse(ProtocolError.JoinProof, "the proof of the join is wrong");
            return false;
        }
        _output.Add(JoinFrame.MakeJoined(JoinProof.Compute(BondRole.Relay, secret, _agentHello, _hello, join.Bond, join.Subflow, join.Policy, _relayKeyHash)));
        IsComplete = true;
        return true;
    }

    /// <summary>Queues one CLOSE with the reason; in place of an acceptance of which nothing was sent, if there is one.</summary>
    public void Refuse(ProtocolError error, string reason)
    {
        if (IsRefused) return;
        if (IsComplete) _output.RemoveLast();
        IsComplete = false;
        IsRefused = true;
        var frame = new byte[CloseFrame.MaxReasonLength + 16];
        _output.Add(frame[..new CloseFrame(error, reason).WriteTo(frame)]);
    }

    private void HandleFrame(Frame frame, ReadOnlySpan<byte> whole)
    {
        switch (frame.Type)
        {
            case FrameType.Hello when _agentHello is null:
                HelloFrame.Parse(frame.Body).CheckVersion("agent");
                _agentHello = whole.ToArray();
                return;
            case FrameType.Open when _agentHello is not null:
                var open = OpenFrame.Parse(frame.Body);
                Open = new(open.Token, open.Instance);
                return;
            case FrameType.Join when _agentHello is not null:
                _join = JoinFrame.Parse(frame.Body);
                Join = new(_join.Bond, _join.Subflow, _join.Policy);
                return;
            default:
                if (((ulong)frame.Type & 1) == 0) throw new ProtocolException(ProtocolError.FrameOutOfState, $"a {frame.Type} frame during the handshake");
                return;
        }
    }
}
