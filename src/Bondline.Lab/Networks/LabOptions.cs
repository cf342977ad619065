namespace Bondline.Lab;

/// <summary>An uplink of the laptop.</summary>
/// <param name="Name">Its interface on the laptop.</param>
public sealed record LinkOptions(string Name)
{
    public LinkSettings Up { get; init; } = new();

    public LinkSettings Down { get; init; } = new();

    /// <summary>Of the interfaces at both ends.</summary>
    /// <value>Default 1500; 1280 to 65,535 (IPv6 needs 1280).</value>
    public int Mtu { get; init; } = 1500;

    /// <summary>The same both ways; <paramref name="roundTrip"/> is halved.</summary>
    /// <param name="name">Its interface on the laptop.</param>
    /// <param name="megabits">Mbit/s; 0: no limit.</param>
    /// <param name="roundTrip">Milliseconds.</param>
    /// <param name="queue">Milliseconds.</param>
    public static LinkOptions Symmetric(string name, double megabits, double roundTrip, double queue = 100)
    {
        var settings = new LinkSettings
        {
            RateBitsPerSecond = (long)(megabits * 1_000_000),
            Delay = TimeSpan.FromMilliseconds(roundTrip / 2),
            QueueLimit = TimeSpan.FromMilliseconds(queue),
        };
        return new(name) { Up = settings, Down = settings };
    }
}

/// <summary>The network a lab starts with.</summary>
public sealed record LabOptions
{
    /// <summary>The three links the promises are measured on: 50, 30 and 20 Mbit/s, RTT 10, 30 and 60 ms, queues of 100 ms.</summary>
    public static IReadOnlyList<LinkOptions> StandardLinks { get; } =
        [LinkOptions.Symmetric("eth0", 50, 10), LinkOptions.Symmetric("wlan0", 30, 30), LinkOptions.Symmetric("usb0", 20, 60)];

    public IReadOnlyList<LinkOptions> Links { get; init; } = StandardLinks;

    /// <summary>Draws losses and jitter.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>net.ipv4.tcp_congestion_control of both namespaces; null leaves the kernel's own.</summary>
    public string? CongestionControl { get; init; }

    /// <summary>Sets kernel MPTCP up: every link an endpoint, so a program under <c>bondline run</c> uses all of them.</summary>
    public bool UseMultipathTcp { get; init; }

    /// <summary>The program whose <c>lab link</c> and <c>lab traffic</c> commands are run.</summary>
    /// <value>Default: the variable BONDLINE_PROGRAM, else the running program if it is <c>bondline</c>, else <c>bondline</c> beside the running one.</value>
    public string? Program { get; init; }

    /// <summary>All problems at once; empty if there are none.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (Links.Count is < 1 or > 99) problems.Add($"There are {Links.Count} links; there must be 1 to 99.");
        if (Links.Select(link => link.Name).Distinct().Count() != Links.Count) problems.Add("Two links have the same name.");
        foreach (var link in Links)
        {
            if (link.Name.Length is < 1 or > 13 || !link.Name.All(char.IsAsciiLetterOrDigit)) problems.Add($"\"{link.Name}\" cannot name a link: 1 to 13 letters and digits.");
            if (link.Mtu is < 1280 or > 65_535) problems.Add($"The MTU of {link.Name} is {link.Mtu}; it must be between 1280 and 65,535.");
            problems.AddRange(link.Up.Problems().Select(problem => $"{link.Name} up: {problem}"));
            problems.AddRange(link.Down.Problems().Select(problem => $"{link.Name} down: {problem}"));
        }
        return problems;
    }
}
