namespace Bondline.Fuzz;

/// <summary>Feeds one input to a reader. What the reader refuses as its contract says is no finding; whatever else is thrown is one.</summary>
internal delegate void FuzzAction(ReadOnlySpan<byte> input);

/// <summary>A reader of bytes, and the folder of its corpus by the same name.</summary>
internal sealed record FuzzTarget(string Name, FuzzAction Run)
{
    /// <summary>One file per target in Targets/.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("frames", FrameTarget.Run),
        new("stream-header", StreamHeaderTarget.Run),
        new("handshake", HandshakeTarget.Run),
        new("join-url", JoinUrlTarget.Run),
        new("control", ControlTarget.Run),
        new("client-hello", ClientHelloTarget.Run),
        new("netlink", NetlinkTarget.Run),
        new("generic-netlink", GenericNetlinkTarget.Run),
        new("socket-diagnostics", SocketDiagnosticsTarget.Run),
        new("counters", CounterTarget.Run),
        new("multipath-state", MultipathStateTarget.Run),
        new("proxy", ProxyTarget.Run),
        new("portal", PortalTarget.Run),
        new("name-answer", NameAnswerTarget.Run),
        new("request-head", RequestHeadTarget.Run),
        new("response-head", ResponseHeadTarget.Run),
        new("chunks", ChunkTarget.Run),
        new("settings", SettingsTarget.Run),
        new("arguments", ArgumentTarget.Run),
        new("folder", FolderTarget.Run),
        new("engine", EngineTarget.Run),
        new("record", RecordTarget.Run),
        new("seccomp", SeccompTarget.Run),
        new("unit", UnitTarget.Run),
    ];

    public static FuzzTarget? Find(string name) => All.FirstOrDefault(target => target.Name == name);

    /// <summary>Ends the run as a finding.</summary>
    public static void Require(bool holds, string rule)
    {
        if (!holds) throw new FindingException(rule);
    }
}

/// <summary>A reader accepted or made something that a rule forbids.</summary>
internal sealed class FindingException(string rule) : Exception(rule);
