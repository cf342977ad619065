using System.Collections.Concurrent;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli;

/// <summary>Which reports of a path say something new: its state, the reason or its policy changed, or what kernel MPTCP leads over; not only its round-trip time.</summary>
internal sealed class PathChanges
{
    // Containers' interfaces come and go for as long as the agent runs. Whoever is forgotten is news once more when it changes.
    private const int MaxPaths = 256;

    private readonly ConcurrentDictionary<string, (PathState State, string? Reason, SubflowPolicy Policy, string? Over)> _last = new();

    public bool IsNews(PathReport path)
    {
        var seen = (path.State, path.Reason, path.Policy, path.Path == PathManager.MultipathName ? path.Detail : null);
        if (_last.TryGetValue(path.Path, out var before) && before == seen) return false;
        if (_last.Count >= MaxPaths) _last.Clear();
        _last[path.Path] = seen;
        return true;
    }

    /// <summary>The state as programs and people read it.</summary>
    public static string Name(PathState state) => state switch
    {
        PathState.Connecting => "connecting",
        PathState.Active => "active",
        PathState.Suspect => "suspect",
        PathState.Dead => "dead",
        PathState.Closed => "closed",
        _ => "left-out",
    };

    /// <summary>The policy as in <c>--paths</c>; null for the one that goes without saying, and where a path is not used.</summary>
    public static string? Name(SubflowPolicy policy) => policy switch
    {
        SubflowPolicy.Prefer => "prefer",
        SubflowPolicy.Backup => "backup",
        SubflowPolicy.Metered => "metered",
        _ => null,
    };
}
