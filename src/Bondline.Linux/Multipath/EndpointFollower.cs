using System.Net;

namespace Bondline.Linux;

/// <summary>Where further subflows may start: a local address, and the interface that has it.</summary>
public readonly record struct EndpointPlace(IPAddress Address, int InterfaceIndex);

/// <summary>What an <see cref="EndpointFollower"/> wants done.</summary>
public abstract record EndpointCommand
{
    private EndpointCommand() { }

    /// <summary>Add an endpoint. If the kernel refuses, say so by <see cref="EndpointFollower.HandleRefused"/>.</summary>
    public sealed record Add(EndpointPlace Place, MultipathEndpointFlags Flags) : EndpointCommand
    {
        public MultipathEndpoint Endpoint => new(0, Place.Address, 0, Flags, Place.InterfaceIndex);
    }

    /// <summary>Delete an endpoint as the kernel has it.</summary>
    /// <param name="Endpoint">One that this follower made or was given.</param>
    /// <param name="IsReplaced">Its interface has another address now, so connections go on over the same network.</param>
    public sealed record Delete(MultipathEndpoint Endpoint, bool IsReplaced) : EndpointCommand;
}

/// <summary>Keeps the kernel's endpoints as the machine's networks are: places in, commands out. No I/O, no clock. Not thread safe.</summary>
/// <remarks>
/// The kernel itself keeps the endpoint of an interface that lost its carrier, and sends into the void until timers end; deleting the endpoint closes its
/// subflows at once, and what they had not delivered goes another way. Touches no endpoint but those it made or was given. A place that
/// comes and goes often is used again only when it has stayed for a while.
/// </remarks>
public sealed class EndpointFollower
{
    private const MultipathEndpointFlags Ordinary = MultipathEndpointFlags.Subflow;

    // Two returns in a row are used at once, as after a cable was pulled or a Wi-Fi changed; then the wait doubles.
    private const int FreeLosses = 2;
    private static readonly TimeSpan LossMemory = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstHold = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(16);

    // IPv6 addresses may change for ever; what is remembered of those that are gone may not grow with them.
    private const int MaxRemembered = 64;

    private readonly Dictionary<EndpointPlace, Followed> _followed = [];

    /// <param name="owned">Places whose endpoints, if they are there, were made by this program before.</param>
    public EndpointFollower(IEnumerable<EndpointPlace> owned)
    {
        ArgumentNullException.ThrowIfNull(owned);
        foreach (var place in owned) _followed[place] = new() { IsOurs = true };
    }

    /// <summary>The endpoints of these places, and no others, are this program's now: another process of it may have made some and given some away.</summary>
    public void Own(IEnumerable<EndpointPlace> places)
    {
        ArgumentNullException.ThrowIfNull(places);
        foreach (var followed in _followed.Values) followed.IsOurs = false;
        foreach (var place in places)
        {
            if (!_followed.TryGetValue(place, out var followed)) _followed[place] = followed = new();
            followed.IsOurs = true;
        }
    }

    /// <summary>When to call <see cref="Follow"/> again even if nothing changes; null if there is no need.</summary>
    public TimeSpan? NextTimeout { get; private set; }

    /// <summary>The places whose endpoints it made, or was given and found.</summary>
    public IEnumerable<EndpointPlace> Owned => _followed.Where(each => each.Value.IsOurs).Select(each => each.Key);

    /// <summary>Compares what should be with what is.</summary>
    /// <param name="wanted">Every place that can be used now: link up, address usable, a route out.</param>
    /// <param name="present">Every endpoint the kernel has, whoever made it.</param>
    /// <param name="now">Time since an origin of the caller's.</param>
    /// <returns>What to do, in this order: first what frees connections from dead networks.</returns>
    public IReadOnlyList<EndpointCommand> Follow(IReadOnlyList<EndpointPlace> wanted, IReadOnlyList<MultipathEndpoint> present, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        ArgumentNullException.ThrowIfNull(present);
        NextTimeout = null;
        var dead = new List<EndpointCommand.Delete>();
        var replaced = new List<EndpointCommand.Delete>();
        foreach (var (place, followed) in _followed)
        {
            var isWanted = wanted.Contains(place);
            if (!isWanted) followed.BackSince = null;
            if (!followed.IsOurs) continue;
            if (present.FirstOrDefault(endpoint => IsAt(endpoint, place)) is not { } endpoint)
            {
                followed.IsOurs = false; // somebody else deleted it
                continue;
            }

            followed.Flags = endpoint.Flags; // somebody may have made it a backup: it comes back as one
            if (isWanted) continue;
            followed.IsOurs = false;
            var isReplaced = wanted.Any(other => other.InterfaceIndex == place.InterfaceIndex && other.Address.AddressFamily == place.Address.AddressFamily)
                && !wanted.Any(other => other.Address.Equals(place.Address)); // the kernel keeps one endpoint for an address
            if (!isReplaced) followed.Losses.Enqueue(now);
            (isReplaced ? replaced : dead).Add(new(endpoint, isReplaced));
        }

        var added = Additions(wanted, present.Except(dead.Concat(replaced).Select(command => command.Endpoint)).ToList(), now);
        Forget(now);

        // A connection on a replaced address should find the new one before it loses the old, if the kernel has room for both.
        return present.Count - dead.Count + added.Count > MultipathEndpoint.MaxCount ? [.. dead, .. replaced, .. added] : [.. dead, .. added, .. replaced];
    }

    /// <summary>The kernel did not take an addition: it is not ours, and is tried again at the next <see cref="Follow"/>.</summary>
    public void HandleRefused(EndpointPlace place)
    {
        if (_followed.TryGetValue(place, out var followed)) followed.IsOurs = false;
    }

    private List<EndpointCommand.Add> Additions(IReadOnlyList<EndpointPlace> wanted, List<MultipathEndpoint> staying, TimeSpan now)
    {
        var added = new List<EndpointCommand.Add>();
        foreach (var place in wanted.Distinct())
        {
            // Somebody else's serves as well.
            if (staying.Exists(endpoint => endpoint.Port == 0 && endpoint.Address.Equals(place.Address) && !endpoint.Flags.HasFlag(MultipathEndpointFlags.Implicit))) continue;
            if (!_followed.TryGetValue(place, out var followed)) _followed[place] = followed = new();
            followed.BackSince ??= now;
            var due = followed.BackSince.Value + Hold(followed, now);
            if (due > now)
            {
                if (NextTimeout is null || due < NextTimeout) NextTimeout = due;
                continue;
            }

            (followed.IsOurs, followed.BackSince) = (true, null);
            added.Add(new(place, followed.Flags));
        }

        return added;
    }

    private static TimeSpan Hold(Followed followed, TimeSpan now)
    {
        while (followed.Losses.TryPeek(out var loss) && now - loss > LossMemory) followed.Losses.Dequeue();
        var repeated = followed.Losses.Count - FreeLosses;
        if (repeated <= 0) return TimeSpan.Zero;
        var hold = FirstHold * (1 << Math.Min(repeated - 1, 10));
        return hold < LongestHold ? hold : LongestHold;
    }

    private void Forget(TimeSpan now)
    {
        foreach (var (place, _) in _followed.Where(each => each.Value is { IsOurs: false, BackSince: null } && !each.Value.Losses.Any(loss => now - loss <= LossMemory) && each.Value.Flags == Ordinary).ToList())
            _followed.Remove(place);
        foreach (var (place, _) in _followed.Where(each => !each.Value.IsOurs).Take(Math.Max(0, _followed.Count - MaxRemembered)).ToList())
            _followed.Remove(place);
    }

    private static bool IsAt(MultipathEndpoint endpoint, EndpointPlace place) =>
        endpoint.Port == 0 && endpoint.InterfaceIndex == place.InterfaceIndex && endpoint.Address.Equals(place.Address)
        && (endpoint.Flags & (MultipathEndpointFlags.Signal | MultipathEndpointFlags.Implicit)) == 0;

    private sealed class Followed
    {
        public bool IsOurs { get; set; }

        /// <summary>As it was when last seen.</summary>
        public MultipathEndpointFlags Flags { get; set; } = Ordinary;

        public Queue<TimeSpan> Losses { get; } = new();

        /// <summary>Since when it could be used again, while its endpoint is held back.</summary>
        public TimeSpan? BackSince { get; set; }
    }
}
