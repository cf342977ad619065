using Xunit;

namespace Bondline.Protocol.Tests.Handshake;

public class HandshakeTests
{
    private static readonly byte[] AgentNonce = Fill(0xA0), Challenge = Fill(0xC0), RelayKey = Fill(0x11);
    private static readonly SecretBytes Secret = new(Fill(0x5E));
    private static readonly BondId Bond = BondId.Create(7, Fill(9)[..12]);
    private static readonly Token Token = new("agent-1", new(Fill(0x70)));
    private static readonly Guid Instance = new("11112222-3333-4444-5555-666677778888");

    [Fact]
    public void An_open_is_welcomed()
    {
        var (agent, relay) = (OpenAgent(), NewRelay());
        Exchange(agent, relay);
        Assert.Equal(new OpenRequest(Token, Instance), relay.Open);
        Assert.Null(relay.Join);
        relay.AcceptOpen(Bond, Secret, 7, [new("a.example", 443), new("::1", 8443)]);
        Exchange(agent, relay);
        Assert.True(agent.IsComplete && relay.IsComplete);
        var welcome = agent.Welcome!;
        Assert.Equal((Bond, Secret, 7U), (welcome.BondId, welcome.BondSecret, welcome.RelayId));
        Assert.Equal([new HostPort("a.example", 443), new HostPort("::1", 8443)], welcome.Addresses);
    }

    [Fact]
    public void A_join_is_proved_both_ways()
    {
        var (agent, relay) = (JoinAgent(), NewRelay());
        Exchange(agent, relay);
        Assert.Equal(new JoinRequest(Bond, new(3), SubflowPolicy.Metered), relay.Join);
        Assert.True(relay.AcceptJoin(Secret));
        Exchange(agent, relay);
        Assert.True(agent.IsComplete && relay.IsComplete);
        Assert.Null(agent.Welcome);
    }

    [Fact]
    public void A_proof_has_its_golden_bytes()
    {
        var agent = JoinProof.Compute(BondRole.Agent, Secret, "agent hello"u8, "relay hello"u8, Bond, new(3), SubflowPolicy.Metered, RelayKey);
        byte[] message =
        [
            .. "bondline join agent\0"u8,
            .. System.Security.Cryptography.SHA256.HashData("agent hello"u8),
            .. System.Security.Cryptography.SHA256.HashData("relay hello"u8),
            0, 0, 0, 7, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
            0, 0, 0, 0, 0, 0, 0, 3,
            3,
            .. RelayKey,
        ];
        Assert.Equal(System.Security.Cryptography.HMACSHA256.HashData(Secret.Bytes, message), agent);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Bytes_may_come_one_by_one_and_what_follows_is_left_alone(bool isOpen)
    {
        var (agent, relay) = (isOpen ? OpenAgent() : JoinAgent(), NewRelay());
        var toAgent = Take(relay.Transmit);
        var toRelay = Take(agent.Transmit);
        Assert.Equal(toAgent.Length, FeedSlowly(agent.Receive, toAgent));
        toRelay = [.. toRelay, .. Take(agent.Transmit), 0x1e, 0x01, 0x05];
        Assert.Equal(toRelay.Length - 3, FeedSlowly(relay.Receive, toRelay));
        if (isOpen) relay.AcceptOpen(Bond, Secret, 7, []);
        else Assert.True(relay.AcceptJoin(Secret));
        toAgent = [.. Take(relay.Transmit), 0x20, 0x01, 0x05];
        Assert.Equal(toAgent.Length - 3, FeedSlowly(agent.Receive, toAgent));
        Assert.True(agent.IsComplete);
    }

    [Fact]
    public void Changing_any_byte_of_a_hello_breaks_the_handshake_or_its_proof()
    {
        var agentHello = Take(JoinAgent().Transmit);
        var relayHello = Take(NewRelay().Transmit);
        for (var i = 0; i < agentHello.Length; i++) Assert.False(JoinsWith(i, agentHello, changesAgents: true), $"byte {i} of the agent's HELLO");
        for (var i = 0; i < relayHello.Length; i++) Assert.False(JoinsWith(i, relayHello, changesAgents: false), $"byte {i} of the relay's HELLO");
    }

    [Fact]
    public void A_hello_that_says_the_same_in_other_bytes_breaks_the_proof()
    {
        var (agent, relay) = (JoinAgent(), NewRelay());
        var hello = Take(agent.Transmit);
        byte[] longer = [hello[0], 0x80, 0, 0, (byte)(hello.Length - 3), .. hello[3..]]; // its length in four bytes
        agent.Receive(Take(relay.Transmit));
        relay.Receive([.. longer, .. Take(agent.Transmit)]);
        Assert.False(relay.AcceptJoin(Secret));
    }

    [Fact]
    public void A_join_recorded_earlier_is_refused_by_a_fresh_challenge()
    {
        var (agent, relay) = (JoinAgent(), NewRelay());
        var recorded = Take(agent.Transmit);
        agent.Receive(Take(relay.Transmit));
        recorded = [.. recorded, .. Take(agent.Transmit)];
        relay.Receive(recorded);
        Assert.True(relay.AcceptJoin(Secret));

        var again = new RelayHandshake(Fill(0xC1), RelayKey);
        Take(again.Transmit);
        again.Receive(recorded);
        Assert.NotNull(again.Join);
        Assert.False(again.AcceptJoin(Secret));
        Assert.True(again.IsRefused);
        Assert.False(again.IsComplete);
    }

    [Fact]
    public void A_join_passed_on_to_another_relay_or_under_another_key_is_refused()
    {
        var agent = JoinAgent();
        var other = new RelayHandshake(Challenge, Fill(0x12));
        Exchange(agent, other);
        Assert.False(other.AcceptJoin(Secret));
        Exchange(agent, other, expectRefusal: ProtocolError.JoinProof);
    }

    [Fact]
    public void A_join_under_another_secret_subflow_policy_or_bond_is_refused()
    {
        var join = Exchanged(JoinAgent(), NewRelay(), out var frames);
        Assert.False(join.AcceptJoin(new(Fill(0x5F))));
        foreach (var (offset, what) in new[] { (3 + 2 + 15, "bond"), (3 + 18 + 2, "subflow"), (3 + 18 + 3 + 2, "policy"), (3 + 18 + 6 + 2, "first byte of the proof"), (frames.Join.Length - 1, "last byte of the proof") })
        {
            var changed = (byte[])frames.Join.Clone();
            changed[offset] ^= 1;
            var relay = NewRelay();
            Take(relay.Transmit);
            relay.Receive([.. frames.Hello, .. changed]);
            Assert.NotNull(relay.Join);
            Assert.False(relay.AcceptJoin(Secret), what);
        }
    }

    [Fact]
    public void A_relay_that_does_not_know_the_secret_is_found_out()
    {
        foreach (var joined in new[] { JoinFrame.MakeJoined(new byte[32]), ReflectedProof() })
        {
            var agent = JoinAgent();
            Take(agent.Transmit);
            agent.Receive(Take(NewRelay().Transmit));
            Take(agent.Transmit);
            Assert.Equal(ProtocolError.JoinProof, Assert.Throws<ProtocolException>(() => agent.Receive(joined)).Error);
            Assert.False(agent.IsComplete);
        }

        // The agent's own proof, sent back.
        static byte[] ReflectedProof()
        {
            Exchanged(JoinAgent(), NewRelay(), out var frames);
            return JoinFrame.MakeJoined(frames.Join.AsSpan()[^32..]);
        }
    }

    [Theory]
    [InlineData("repeated HELLO")]
    [InlineData("JOIN first")]
    [InlineData("OPEN first")]
    [InlineData("WELCOME")]
    [InlineData("JOINED")]
    [InlineData("STREAM")]
    [InlineData("unknown even type")]
    public void A_relay_refuses_frames_out_of_turn(string what)
    {
        Exchanged(JoinAgent(), NewRelay(), out var frames);
        byte[] input = what switch
        {
            "repeated HELLO" => [.. frames.Hello, .. frames.Hello],
            "JOIN first" => frames.Join,
            "OPEN first" => new OpenFrame(Token, Instance).ToBytes(),
            "WELCOME" => [.. frames.Hello, .. new WelcomeFrame(Bond, Secret, 7, []).ToBytes()],
            "JOINED" => [.. frames.Hello, .. JoinFrame.MakeJoined(new byte[32])],
            "STREAM" => [.. frames.Hello, 0x10, 0x03, 0x00, 0x00, 0x01],
            _ => [.. frames.Hello, 0x3e, 0x00],
        };
        var relay = NewRelay();
        Take(relay.Transmit);
        Assert.Equal(ProtocolError.FrameOutOfState, Assert.Throws<ProtocolException>(() => relay.Receive(input)).Error);
        relay.Refuse(ProtocolError.FrameOutOfState, "out of turn");
        relay.Refuse(ProtocolError.Internal, "only the first counts");
        var close = Take(relay.Transmit);
        Assert.True(Frame.TryRead(close, out var frame, out var length));
        Assert.Equal(close.Length, length);
        Assert.Equal(new CloseFrame(ProtocolError.FrameOutOfState, "out of turn"), CloseFrame.Parse(frame));
        Assert.Equal(0, relay.Receive(frames.Hello)); // it listens no more
    }

    [Theory]
    [InlineData("WELCOME before HELLO")]
    [InlineData("JOINED before HELLO")]
    [InlineData("repeated HELLO")]
    [InlineData("JOINED for OPEN")]
    [InlineData("STREAM")]
    public void An_agent_refuses_frames_out_of_turn(string what)
    {
        var hello = Take(NewRelay().Transmit);
        var welcome = new WelcomeFrame(Bond, Secret, 7, []).ToBytes();
        byte[] input = what switch
        {
            "WELCOME before HELLO" => welcome,
            "JOINED before HELLO" => JoinFrame.MakeJoined(new byte[32]),
            "repeated HELLO" => [.. hello, .. hello],
            "JOINED for OPEN" => [.. hello, .. JoinFrame.MakeJoined(new byte[32])],
            _ => [.. hello, 0x10, 0x03, 0x00, 0x00, 0x01],
        };
        var agent = OpenAgent();
        Assert.Equal(ProtocolError.FrameOutOfState, Assert.Throws<ProtocolException>(() => agent.Receive(input)).Error);
        Assert.False(agent.IsComplete);
        var joining = JoinAgent();
        Assert.Equal(ProtocolError.FrameOutOfState, Assert.Throws<ProtocolException>(() => joining.Receive([.. hello, .. welcome])).Error);
    }

    [Fact]
    public void Odd_frames_are_skipped_before_between_and_behind()
    {
        byte[] padding = [0x01, 0x02, 0xff, 0xff], unknown = [0x3f, 0x00];
        var (agent, relay) = (OpenAgent(), NewRelay());
        agent.Receive([.. padding, .. Take(relay.Transmit), .. unknown]);
        relay.Receive([.. unknown, .. Take(agent.Transmit)]);
        Assert.NotNull(relay.Open);
        relay.AcceptOpen(Bond, Secret, 7, []);
        agent.Receive([.. padding, .. Take(relay.Transmit)]);
        Assert.True(agent.IsComplete);
    }

    [Fact]
    public void Skipped_frames_are_bounded_before_the_peer_is_known()
    {
        byte[] padding = [(byte)FrameType.Padding, 0x4F, 0xFD, .. new byte[4093]]; // 4,096 bytes in all
        var relay = NewRelay();
        for (var i = 0; i < 4; i++) Assert.Equal(padding.Length, relay.Receive(padding));
        Assert.Equal(ProtocolError.FrameTooLarge, Assert.Throws<ProtocolException>(() => relay.Receive(padding)).Error);
    }

    [Fact]
    public void A_token_is_not_sent_before_the_relays_hello()
    {
        var agent = OpenAgent();
        Assert.True(Frame.TryRead(Take(agent.Transmit), out var frame, out _));
        Assert.Equal(FrameType.Hello, frame.Type);
        Assert.Empty(Take(agent.Transmit));
    }

    [Fact]
    public void Both_ends_refuse_versions_they_do_not_speak()
    {
        var future = new HelloFrame(2, 3, AgentNonce, []).ToBytes();
        Assert.Equal(ProtocolError.VersionUnsupported, Assert.Throws<ProtocolException>(() => NewRelay().Receive(future)).Error);
        Assert.Equal(ProtocolError.VersionUnsupported, Assert.Throws<ProtocolException>(() => OpenAgent().Receive(future)).Error);
        var wider = new HelloFrame(1, 3, AgentNonce, [42]).ToBytes();
        Assert.Equal(wider.Length, NewRelay().Receive(wider));
    }

    [Fact]
    public void A_refusal_reaches_the_agent_with_its_code_and_reason()
    {
        var (agent, relay) = (OpenAgent(), NewRelay());
        Exchange(agent, relay);
        relay.Refuse(ProtocolError.TokenRevoked, "revoked yesterday");
        Assert.True(relay.IsRefused);
        Exchange(agent, relay, expectRefusal: ProtocolError.TokenRevoked, reason: "revoked yesterday");
    }

    [Fact]
    public void Nothing_secret_is_printed()
    {
        var relay = NewRelay();
        Exchange(OpenAgent(), relay);
        var secret = Token.Format()[(Token.Id.Length + 1)..];
        Assert.DoesNotContain(secret, relay.Open!.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(secret, Token.ToString(), StringComparison.Ordinal);
        Assert.Equal("***", Secret.ToString());
    }

    private static bool JoinsWith(int index, byte[] hello, bool changesAgents)
    {
        var changed = (byte[])hello.Clone();
        changed[index] ^= 1;
        var (agent, relay) = (JoinAgent(), NewRelay());
        var (agentHello, relayHello) = (Take(agent.Transmit), Take(relay.Transmit));
        try
        {
            agent.Receive(changesAgents ? relayHello : changed);
            relay.Receive([.. changesAgents ? changed : agentHello, .. Take(agent.Transmit)]);
            return relay.Join is not null && relay.AcceptJoin(Secret);
        }
        catch (ProtocolException)
        {
            return false;
        }
    }

    private static RelayHandshake Exchanged(AgentHandshake agent, RelayHandshake relay, out (byte[] Hello, byte[] Join) frames)
    {
        var hello = Take(agent.Transmit);
        agent.Receive(Take(relay.Transmit));
        frames = (hello, Take(agent.Transmit));
        relay.Receive([.. frames.Hello, .. frames.Join]);
        return relay;
    }

    private static void Exchange(AgentHandshake agent, RelayHandshake relay, ProtocolError? expectRefusal = null, string? reason = null)
    {
        while (true)
        {
            var (toAgent, toRelay) = (Take(relay.Transmit), Take(agent.Transmit));
            if (toAgent.Length == 0 && toRelay.Length == 0) return;
            relay.Receive(toRelay);
            if (expectRefusal is not { } code)
            {
                agent.Receive(toAgent);
                continue;
            }
            var error = Assert.Throws<ProtocolException>(() => agent.Receive(toAgent));
            Assert.Equal(code, error.Error);
            if (reason is not null) Assert.Equal(reason, error.Message);
            return;
        }
    }

    private delegate int Output(Span<byte> destination);

    private delegate int Input(ReadOnlySpan<byte> input);

    /// <summary>All there is to send, seven bytes at a time.</summary>
    private static byte[] Take(Output transmit)
    {
        List<byte> all = [];
        var part = new byte[7];
        while (transmit(part) is > 0 and var length) all.AddRange(part[..length]);
        return [.. all];
    }

    /// <summary>Gives bytes in as if each came alone.</summary>
    /// <returns>The bytes consumed.</returns>
    private static int FeedSlowly(Input receive, byte[] bytes)
    {
        var consumed = 0;
        for (var end = 1; end <= bytes.Length; end++) consumed += receive(bytes.AsSpan(consumed..end));
        return consumed;
    }

    private static AgentHandshake OpenAgent() => AgentHandshake.Open(Token, Instance, AgentNonce, RelayKey);

    private static AgentHandshake JoinAgent() => AgentHandshake.Join(Bond, Secret, new(3), SubflowPolicy.Metered, AgentNonce, RelayKey);

    private static RelayHandshake NewRelay() => new(Challenge, RelayKey);

    private static byte[] Fill(byte value)
    {
        var bytes = new byte[32];
        bytes.AsSpan().Fill(value);
        return bytes;
    }
}
