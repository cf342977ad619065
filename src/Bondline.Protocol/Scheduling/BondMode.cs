namespace Bondline.Protocol;

/// <summary>How a bond uses its subflows together. The agent's user chooses; MODE tells the relay.</summary>
public enum BondMode
{
    /// <summary>Bulk over all of them at once, small frames twice.</summary>
    Auto,

    /// <summary>Every byte over all of them, as fast as each can.</summary>
    Redundant,

    /// <summary>New data over the one with the least round-trip time, copies of small frames over the next.</summary>
    LowestLatency,

    /// <summary>Everything over one; the others wait until it fails.</summary>
    BackupOnly,
}
