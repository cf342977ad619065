using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>What an interface is doing for the bond.</summary>
public enum PathState
{
    Connecting,
    Active,
    Suspect,
    Dead,
    Closed,

    /// <summary>Not used, for the reason given.</summary>
    LeftOut,
}

/// <summary>One interface of this machine as the agent's user sees it.</summary>
/// <param name="Path">The interface's name.</param>
/// <param name="State">What it is doing.</param>
/// <param name="Reason">One word for programs, such as <c>carrier</c>, <c>no-route</c>, <c>timeout</c>; null if there is nothing to explain.</param>
/// <param name="Detail">The same as a sentence for people; null if there is none.</param>
/// <param name="Rtt">Smoothed round-trip time, once there is a subflow.</param>
public sealed record PathReport(string Path, PathState State, string? Reason, string? Detail, TimeSpan? Rtt)
{
    /// <summary>What the interface is to a person.</summary>
    public InterfaceMedium Medium { get; init; }

    /// <summary>What it is used for; <see cref="SubflowPolicy.Off"/> while it cannot be used.</summary>
    public SubflowPolicy Policy { get; init; }
}
