using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli.Screen;

/// <summary>Everything the screen shows at one moment. Texts are as they came: the layout makes them harmless.</summary>
internal sealed record ScreenView
{
    public IReadOnlyList<TunnelView> Tunnels { get; init; } = [];

    /// <summary>Who can open the URLs, if that is not everybody.</summary>
    public string? Notice { get; init; }

    public TimeSpan Uptime { get; init; }

    /// <summary>How many seconds the histories have counted.</summary>
    public long Seconds { get; init; }

    public int Connections { get; init; }

    /// <summary>How the networks are used together.</summary>
    public BondMode Mode { get; init; }

    /// <summary>Requests served, those not shown included.</summary>
    public long Requests { get; init; }

    /// <summary>Networks that are or were used.</summary>
    public IReadOnlyList<PathView> Paths { get; init; } = [];

    public IReadOnlyList<LeftOutView> LeftOut { get; init; } = [];

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<EventView> Events { get; init; } = [];

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<RequestView> Served { get; init; } = [];

    public bool HasKeys { get; init; }

    public Overlay Overlay { get; init; }

    /// <summary>Which tunnel's code <see cref="Overlay.QrCode"/> shows.</summary>
    public int OverlayTunnel { get; init; }
}

/// <summary>What covers the screen.</summary>
internal enum Overlay
{
    None,
    Help,
    LeftOut,
    QrCode,
    Pause,
    Mode,
}

/// <param name="Url">Null until the relay takes visitors.</param>
/// <param name="Local">The local service.</param>
/// <param name="IsAway">It did not answer the last time.</param>
/// <param name="IsHttp">It has requests to show.</param>
internal sealed record TunnelView(string? Url, string Local, bool IsAway, bool IsHttp);

/// <summary>One network.</summary>
/// <param name="Name">Its interface.</param>
/// <param name="Medium">What it is.</param>
/// <param name="State">What it is doing.</param>
/// <param name="Policy">What it may be used for.</param>
/// <param name="Trouble">Why it is not in use; null if it is.</param>
/// <param name="Rtt">Null without a connection.</param>
/// <param name="UpBitsPerSecond">From the local service to visitors.</param>
/// <param name="DownBitsPerSecond">From visitors.</param>
/// <param name="Bytes">Both ways, since the start.</param>
/// <param name="Share">Of all networks' bytes; 0 to 1.</param>
/// <param name="History">Bits per second of both ways in each of the last seconds, oldest first.</param>
internal sealed record PathView(
    string Name,
    InterfaceMedium Medium,
    PathState State,
    SubflowPolicy Policy,
    string? Trouble,
    TimeSpan? Rtt,
    double UpBitsPerSecond,
    double DownBitsPerSecond,
    long Bytes,
    double Share,
    IReadOnlyList<double> History)
{
    /// <summary>The user does not want it used for now.</summary>
    public bool IsPaused { get; init; }

    /// <summary>How much of its budget is used, 0 to 1; null without one.</summary>
    public double? BudgetUsed { get; init; }
}

/// <summary>A network that is not used, and why.</summary>
internal sealed record LeftOutView(string Name, InterfaceMedium Medium, string Why);

internal enum EventKind
{
    Note,
    Good,
    Warning,
    Bad,
}

internal sealed record EventView(DateTimeOffset At, EventKind Kind, string Text);

/// <summary>A request that was served; <paramref name="Untold"/> others if that is not 0.</summary>
internal sealed record RequestView(DateTimeOffset At, string Local, string Method, string Target, int Status, TimeSpan Duration, int Untold = 0);
