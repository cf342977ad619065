namespace Bondline.Protocol;

/// <summary>Which subflow ids a bond has seen: the agent counts up, parallel joins arrive in any order, and none is used twice.</summary>
internal sealed class SubflowIds
{
    /// <summary>How far a join may come behind a later one.</summary>
    private const ulong Window = 1024;

    private readonly HashSet<ulong> _recent = [];
    private ulong _highest;

    public bool TryUse(SubflowId id)
    {
        if (id.Value + Window <= _highest || !_recent.Add(id.Value)) return false;
        if (id.Value <= _highest) return true;
        _highest = id.Value;
        if ((ulong)_recent.Count > 2 * Window) _recent.RemoveWhere(old => old + Window <= _highest);
        return true;
    }
}
