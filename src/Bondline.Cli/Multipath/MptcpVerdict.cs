using System.Globalization;
using System.Net;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>Whether MPTCP gets through to a host over one interface.</summary>
internal enum MptcpVerdictKind
{
    /// <summary>It does.</summary>
    Mptcp,

    /// <summary>Plain TCP came of it: the peer does not speak MPTCP, or its option is taken out on the way.</summary>
    Fallback,

    /// <summary>Its option is taken out on the way: the same address answers with MPTCP elsewhere, or did at first.</summary>
    Stripped,

    /// <summary>Requests with the option vanish or are refused, those without pass.</summary>
    Blackholed,

    /// <summary>Nothing gets through, with or without.</summary>
    Blocked,

    /// <summary>This machine does not ask for MPTCP now, so nobody can tell.</summary>
    NotAsked,
}

/// <summary>One way to a host that is tried.</summary>
/// <param name="Interface">The interface to bind to; null for an address of this machine.</param>
/// <param name="Name">What to call the way: the interface's name.</param>
/// <param name="Target">Whom to call.</param>
/// <param name="HasRoute">The interface has a route there; a bound socket tries without one too.</param>
internal sealed record MptcpWay(string? Interface, string Name, IPEndPoint Target, bool HasRoute);

/// <summary>What was tried over one interface, and what follows from it.</summary>
/// <param name="Way">Where, and whom.</param>
/// <param name="Plain">The attempt without MPTCP.</param>
/// <param name="Multipath">The attempt with it.</param>
/// <param name="Kind">What follows.</param>
internal sealed record MptcpVerdict(MptcpWay Way, MptcpAttempt Plain, MptcpAttempt Multipath, MptcpVerdictKind Kind)
{
    /// <summary>The word for scripts and tables.</summary>
    public string Word => Kind switch
    {
        MptcpVerdictKind.Mptcp => "mptcp",
        MptcpVerdictKind.Fallback => "fallback",
        MptcpVerdictKind.Stripped => "stripped",
        MptcpVerdictKind.Blackholed => "blackholed",
        MptcpVerdictKind.Blocked => "blocked",
        _ => "not-asked",
    };

    public string Sentence => Kind switch
    {
        MptcpVerdictKind.Mptcp => "MPTCP gets through.",
        MptcpVerdictKind.Fallback => "The answer has no MPTCP option: the host does not speak it, or something on the way takes it out. From here nobody can tell which.",
        MptcpVerdictKind.Stripped when Multipath.Fallback == MultipathFallback.AfterHandshake => "Both ends agreed, then the option was missing: something on the way takes it out.",
        MptcpVerdictKind.Stripped => "The same address answers with MPTCP over another network, so something on this way takes the option out.",
        MptcpVerdictKind.Blackholed when Multipath.Outcome == AttemptOutcome.Refused => "Requests with the MPTCP option are refused, those without pass: something on the way objects to it.",
        MptcpVerdictKind.Blackholed when Multipath.Outcome == AttemptOutcome.Unreachable => "Requests with the MPTCP option are answered with \"unreachable\", those without pass: a firewall on this machine or on the way objects to it.",
        MptcpVerdictKind.Blackholed => "Requests with the MPTCP option get no answer, those without do: something on the way drops them.",
        MptcpVerdictKind.Blocked => Plain.Outcome switch
        {
            AttemptOutcome.Refused => "The port is closed: the host refused the connection, with and without MPTCP.",
            AttemptOutcome.Unreachable => $"There is no way to it over this network: {Plain.Error}.",
            AttemptOutcome.Silent when !Way.HasRoute => "There is no answer, with or without MPTCP: this network has no route there.",
            AttemptOutcome.Silent => "There is no answer, with or without MPTCP.",
            _ => $"It could not be tried: {Plain.Error ?? Multipath.Error}.",
        },
        _ => "This machine does not ask for MPTCP now, because requests for it vanished before (blackhole mode). That ends by itself; writing net.mptcp.blackhole_timeout as root ends it at once.",
    };

    /// <summary>The times, as "tcp 12.1 ms, mptcp no answer".</summary>
    public string Times => $"tcp {Result(Plain)}, mptcp {ResultOfMultipath}";

    private string ResultOfMultipath => Multipath.Outcome switch
    {
        AttemptOutcome.Connected when !Multipath.IsMultipath => $"{Result(Multipath)} as plain TCP",
        AttemptOutcome.Unreachable when Plain.IsConnected => "rejected", // there is a route
        _ => Result(Multipath),
    };

    /// <summary>What follows from one interface's attempts alone.</summary>
    public static MptcpVerdictKind Judge(MptcpAttempt plain, MptcpAttempt multipath)
    {
        if (multipath.IsMultipath) return MptcpVerdictKind.Mptcp;
        if (multipath.IsConnected)
        {
            return multipath.Fallback switch
            {
                MultipathFallback.NotAskedFor => MptcpVerdictKind.NotAsked,
                MultipathFallback.AfterHandshake => MptcpVerdictKind.Stripped,
                _ => MptcpVerdictKind.Fallback,
            };
        }

        return plain.IsConnected && multipath.Outcome is AttemptOutcome.Silent or AttemptOutcome.Refused or AttemptOutcome.Unreachable ? MptcpVerdictKind.Blackholed : MptcpVerdictKind.Blocked;
    }

    /// <summary>What follows from all together: where one address answers with MPTCP over one interface, it would over the others.</summary>
    public static IReadOnlyList<MptcpVerdict> Compare(IReadOnlyList<MptcpVerdict> verdicts)
    {
        var speakers = verdicts.Where(verdict => verdict.Kind == MptcpVerdictKind.Mptcp).Select(verdict => verdict.Way.Target).ToHashSet();
        return [.. verdicts.Select(verdict => verdict.Kind == MptcpVerdictKind.Fallback && speakers.Contains(verdict.Way.Target) ? verdict with { Kind = MptcpVerdictKind.Stripped } : verdict)];
    }

    private static string Result(MptcpAttempt attempt) => attempt.Outcome switch
    {
        AttemptOutcome.Connected => string.Create(CultureInfo.InvariantCulture, $"{ReportText.Milliseconds(attempt.Time)} ms"),
        AttemptOutcome.Refused => "refused",
        AttemptOutcome.Unreachable => "no route",
        AttemptOutcome.Silent => string.Create(CultureInfo.InvariantCulture, $"no answer in {attempt.Time.TotalSeconds:0.0} s"),
        _ => "not tried",
    };
}
