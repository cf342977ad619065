using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli.Screen;

/// <summary>One network over time: its state, its bytes over all its subflows, and when it went away.</summary>
internal sealed class PathActivity(string name)
{
    private const int HistorySeconds = 60;

    private readonly Dictionary<SubflowId, (long Sent, long Received, long Reinjected)> _subflows = [];
    private readonly Queue<double> _history = new(Enumerable.Repeat(0.0, HistorySeconds));
    private long _sentBefore, _receivedBefore;

    public string Name => name;

    public PathReport Report { get; set; } = new(name, PathState.Connecting, null, null, null);

    public DateTimeOffset Since { get; set; }

    /// <summary>It carried the bond at some time.</summary>
    public bool WasUsed { get; set; }

    /// <summary>The user does not want it used for now.</summary>
    public bool IsPaused { get; set; }

    /// <summary>Why it is away; null while it is not.</summary>
    public Absence? Away { get; set; }

    public SubflowPolicy Policy { get; private set; }

    /// <summary>How much of its budget is used, 0 to 1; null without one.</summary>
    public double? BudgetUsed { get; set; }

    public TimeSpan? Rtt { get; private set; }

    public long Sent { get; private set; }

    public long Received { get; private set; }

    /// <summary>Bytes it took over from other networks.</summary>
    public long Reinjected { get; private set; }

    public double UpBitsPerSecond { get; private set; }

    public double DownBitsPerSecond { get; private set; }

    public IReadOnlyList<double> History => [.. _history];

    /// <summary>Counts what its subflows did since the last call.</summary>
    public void Count(IEnumerable<SubflowSnapshot> now)
    {
        var seen = new HashSet<SubflowId>();
        foreach (var subflow in now)
        {
            seen.Add(subflow.Id);
            var before = _subflows.GetValueOrDefault(subflow.Id);
            if (subflow.BytesSent < before.Sent || subflow.BytesReceived < before.Received) before = default; // the same number in a new bond
            Sent += subflow.BytesSent - before.Sent;
            Received += subflow.BytesReceived - before.Received;
            Reinjected += Math.Max(0, subflow.BytesReinjected - before.Reinjected);
            _subflows[subflow.Id] = (subflow.BytesSent, subflow.BytesReceived, subflow.BytesReinjected);
            if (subflow.State == SubflowState.Closed) continue;
            (Policy, Rtt) = (subflow.Policy, subflow.SmoothedRtt);
        }
        foreach (var gone in _subflows.Keys.Where(id => !seen.Contains(id)).ToList()) _subflows.Remove(gone);
        if (seen.Count == 0) Rtt = null;
    }

    /// <summary>Ends a second, more or less.</summary>
    public void EndSecond(TimeSpan lasted)
    {
        var seconds = Math.Max(lasted.TotalSeconds, 0.1);
        UpBitsPerSecond = (Sent - _sentBefore) * 8 / seconds;
        DownBitsPerSecond = (Received - _receivedBefore) * 8 / seconds;
        (_sentBefore, _receivedBefore) = (Sent, Received);
        _history.Dequeue();
        _history.Enqueue(UpBitsPerSecond + DownBitsPerSecond);
    }

    /// <summary>A network that went away, and what became of its bytes.</summary>
    /// <param name="at">When.</param>
    /// <param name="words">What happened, without its name: "went silent".</param>
    /// <param name="reinjectedBefore">What each other network had taken over before.</param>
    public sealed class Absence(DateTimeOffset at, string words, IReadOnlyDictionary<string, long> reinjectedBefore)
    {
        public DateTimeOffset At => at;

        public string Words => words;

        public IReadOnlyDictionary<string, long> ReinjectedBefore => reinjectedBefore;

        /// <summary>The event that tells it; null while it may still have been nothing.</summary>
        public ScreenModel.ToldEvent? Event { get; set; }
    }
}
