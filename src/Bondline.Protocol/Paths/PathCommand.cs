using System.Net;

namespace Bondline.Protocol;

/// <summary>What the path manager wants done.</summary>
public abstract record PathCommand
{
    private PathCommand() { }

    /// <summary>Connect, and join the bond (or open one). Answered by <see cref="PathObservation.DialJoined"/> or <see cref="PathObservation.DialFailed"/>.</summary>
    /// <param name="Id">Comes back in the answer.</param>
    /// <param name="Path">The interface's name.</param>
    /// <param name="Interface">Bind to it; null for loopback, and to let the system choose.</param>
    /// <param name="Relay">The relay, or what leads to it.</param>
    /// <param name="Policy">What the subflow may be used for.</param>
    /// <param name="Timeout">Time for everything up to the join.</param>
    /// <param name="IsNarrow">Keep packets small: large ones vanished on this path.</param>
    /// <param name="IsMultipath">Make it a connection that the kernel spreads over the networks.</param>
    public sealed record Dial(int Id, string Path, string? Interface, RelayAddress Relay, SubflowPolicy Policy, TimeSpan Timeout, bool IsNarrow = false, bool IsMultipath = false) : PathCommand
    {
        public IPEndPoint Remote => Relay.EndPoint;
    }

    /// <summary>Give a dial up; if it is joining already, its subflow will be closed.</summary>
    public sealed record Abandon(int Id) : PathCommand;

    /// <summary>Tell the bond that this subflow's link is gone.</summary>
    public sealed record LinkLost(SubflowId Subflow, SubflowReason Reason) : PathCommand;

    /// <summary>Tell the bond that it is back.</summary>
    public sealed record LinkRestored(SubflowId Subflow) : PathCommand;

    /// <summary>Tell the bond that this subflow is to be used otherwise.</summary>
    public sealed record ChangePolicy(SubflowId Subflow, SubflowPolicy Policy) : PathCommand;

    /// <summary>Close a subflow's connection with a reset.</summary>
    public sealed record Close(SubflowId Subflow, string Why) : PathCommand;

    /// <summary>Find out whether the network answers in the relay's place until somebody signs in. Answered by <see cref="PathObservation.Probed"/>.</summary>
    /// <param name="Path">The interface's name.</param>
    /// <param name="Relay">The relay.</param>
    public sealed record Probe(string Path, RelayAddress Relay) : PathCommand;

    /// <summary>Ask the resolver where the relay is; the last good addresses are used meanwhile.</summary>
    public sealed record Resolve : PathCommand;

    /// <summary>Something a user wants to know about a path changed.</summary>
    /// <param name="Path">The interface's name.</param>
    /// <param name="Situation">What it is doing.</param>
    /// <param name="Reason">One word for programs; null if there is nothing to explain.</param>
    /// <param name="Detail">A sentence for people; null if there is none.</param>
    /// <param name="Policy">What it is used for; <see cref="SubflowPolicy.Off"/> if it cannot be used.</param>
    public sealed record Report(string Path, PathSituation Situation, string? Reason, string? Detail, SubflowPolicy Policy) : PathCommand;

    /// <summary>What carries the bond, told at the start and when it or the reason changes.</summary>
    /// <param name="Carrier">Of the subflows that are kept.</param>
    /// <param name="Reason">A clause for people.</param>
    /// <param name="HasChoice">There is, or was, something else to choose from.</param>
    public sealed record Carry(Carrier Carrier, string Reason, bool HasChoice) : PathCommand;

    /// <summary>Give up for good: wherever the relay should be, someone else answers.</summary>
    public sealed record Fail(string Detail) : PathCommand;
}

/// <summary>What a path is doing.</summary>
public enum PathSituation
{
    Connecting,
    Active,
    Suspect,
    Dead,

    /// <summary>It was used and cannot be now.</summary>
    Closed,

    /// <summary>It is not used.</summary>
    LeftOut,
}
