namespace Bondline.Protocol;

/// <summary>What may be sent again on suspicion only: one in twenty of all new bytes (docs/protocol.md, "Reinjection"). Bytes of a suspect or dead subflow are owed and cost nothing.</summary>
internal struct CopyBudget()
{
    private const double Share = 0.05, DepthBytes = 256 * 1024;

    private double _bytes = DepthBytes / 4;

    public void HandleNewBytes(long bytes) => _bytes = Math.Min(DepthBytes, _bytes + bytes * Share);

    public bool TrySpend(long bytes)
    {
        if (_bytes < bytes) return false;
        _bytes -= bytes;
        return true;
    }
}
