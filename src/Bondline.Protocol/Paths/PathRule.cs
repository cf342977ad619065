namespace Bondline.Protocol;

/// <summary>What the agent's user said about one interface, as in <c>--paths eth0,wlan0:backup</c>.</summary>
/// <param name="Interface">The interface's name, as the system writes it.</param>
/// <param name="Policy">What it may be used for; <see cref="SubflowPolicy.Off"/> leaves it out.</param>
public readonly record struct PathRule(string Interface, SubflowPolicy Policy = SubflowPolicy.Normal);
