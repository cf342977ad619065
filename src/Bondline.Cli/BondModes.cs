using Bondline.Protocol;

namespace Bondline.Cli;

/// <summary>The modes as users write and read them.</summary>
internal static class BondModes
{
    public static IReadOnlyList<(BondMode Mode, string Name, string What)> All { get; } =
    [
        (BondMode.Auto, "auto", "all networks at once: one transfer gets their sum"),
        (BondMode.Redundant, "redundant", "every byte over every network: nothing waits when one fails"),
        (BondMode.LowestLatency, "lowest-latency", "over the quickest network"),
        (BondMode.BackupOnly, "backup-only", "over one network; the others wait until it fails"),
    ];

    public static string Name(BondMode mode) => All.First(each => each.Mode == mode).Name;
}
