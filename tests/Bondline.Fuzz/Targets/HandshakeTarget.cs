namespace Bondline.Fuzz;

/// <summary>Both sides of a subflow's handshake. The first byte says which side reads, and into what pieces the rest is cut.</summary>
internal static class HandshakeTarget
{
    private static readonly byte[] Nonce = new byte[32], KeyHash = new byte[KeyPin.Length];
    private static readonly BondId Bond = new(7);
    private static readonly SecretBytes Secret = new(new byte[32]);

    public static void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return;
        var (side, piece) = (input[0] % 3, 1 + (input[0] / 3 * 50));
        try
        {
            switch (side)
            {
                case 0:
                    ReadAsRelay(input[1..], piece);
                    break;
                case 1:
                    ReadAsAgent(AgentHandshake.Open(new("fuzz", Secret), Guid.Empty, Nonce, KeyHash), input[1..], piece);
                    break;
                default:
                    ReadAsAgent(AgentHandshake.Join(Bond, Secret, new(1), SubflowPolicy.Normal, Nonce, KeyHash), input[1..], piece);
                    break;
            }
        }
        catch (ProtocolException)
        {
        }
    }

    private static void ReadAsRelay(ReadOnlySpan<byte> input, int piece)
    {
        var handshake = new RelayHandshake(Nonce, KeyHash);
        for (int consumed = 0, end = 0; end < input.Length && handshake.Open is null && handshake.Join is null;)
        {
            end = Math.Min(input.Length, end + piece);
            consumed += handshake.Receive(input[consumed..end]);
            FuzzTarget.Require(end - consumed < HandshakeFrame.MaxLength || handshake.Open is not null || handshake.Join is not null, "no more waits than one frame");
        }
        FuzzTarget.Require(handshake.Open is null || handshake.Join is null, "an agent asks for one thing");
        if (handshake.Open is not null) handshake.AcceptOpen(Bond, Secret, 1, [new("relay.example", 443)]);
        else if (handshake.Join is not null) handshake.AcceptJoin(Secret);
        else handshake.Refuse(ProtocolError.HandshakeTimeout, "no answer");
        FuzzTarget.Require(handshake.IsComplete != handshake.IsRefused, "it is accepted or refused");
        handshake.Transmit(new byte[2 * HandshakeFrame.MaxLength]);
    }

    private static void ReadAsAgent(AgentHandshake handshake, ReadOnlySpan<byte> input, int piece)
    {
        var output = new byte[2 * HandshakeFrame.MaxLength];
        for (int consumed = 0, end = 0; end < input.Length && !handshake.IsComplete;)
        {
            end = Math.Min(input.Length, end + piece);
            consumed += handshake.Receive(input[consumed..end]);
            handshake.Transmit(output);
        }
    }
}
