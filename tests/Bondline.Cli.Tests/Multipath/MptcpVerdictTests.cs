using System.Net;
using Bondline.Linux;
using Xunit;

namespace Bondline.Cli.Tests.Multipath;

public sealed class MptcpVerdictTests
{
    private static readonly IPEndPoint Here = new(IPAddress.Parse("192.0.2.1"), 443), Elsewhere = new(IPAddress.Parse("192.0.2.2"), 443);

    private static readonly MptcpAttempt Connected = Attempt(AttemptOutcome.Connected), Refused = Attempt(AttemptOutcome.Refused), Silent = Attempt(AttemptOutcome.Silent),
        Unreachable = Attempt(AttemptOutcome.Unreachable) with { Error = "No route to host" };

    [Theory]
    [InlineData(MultipathFallback.NotAgreed, "fallback")]
    [InlineData(MultipathFallback.Unknown, "fallback")]
    [InlineData(MultipathFallback.NotAskedFor, "not-asked")]
    [InlineData(MultipathFallback.AfterHandshake, "stripped")]
    public void Plain_TCP_in_place_of_MPTCP_is_told_apart_by_its_reason(MultipathFallback fallback, string word)
    {
        Assert.Equal(word, Verdict(Connected, Connected with { Fallback = fallback }).Word);
        Assert.Equal(word, Verdict(Silent, Connected with { Fallback = fallback }).Word);
    }

    [Fact]
    public void What_gets_through_is_a_fact_whatever_became_of_plain_TCP()
    {
        Assert.Equal("mptcp", Verdict(Connected, Connected with { IsMultipath = true }).Word);
        Assert.Equal("mptcp", Verdict(Silent, Connected with { IsMultipath = true }).Word);
    }

    [Fact]
    public void Only_what_passes_without_the_option_is_blackholed_with_it()
    {
        Assert.Equal("blackholed", Verdict(Connected, Silent).Word);
        Assert.Equal("blackholed", Verdict(Connected, Refused).Word);
        Assert.Equal("blackholed", Verdict(Connected, Unreachable).Word); // a firewall's ICMP
        Assert.Equal("blocked", Verdict(Silent, Silent).Word);
        Assert.Equal("blocked", Verdict(Refused, Refused).Word);
        Assert.Equal("blocked", Verdict(Refused, Silent).Word);
        Assert.Equal("blocked", Verdict(Unreachable, Unreachable).Word);
    }

    [Fact]
    public void An_address_that_speaks_MPTCP_elsewhere_has_its_option_taken_out_here()
    {
        var compared = MptcpVerdict.Compare(
        [
            Verdict(Connected, Connected with { IsMultipath = true }),
            Verdict(Connected, Connected with { Fallback = MultipathFallback.NotAgreed }),
            Verdict(Connected, Connected with { Fallback = MultipathFallback.NotAgreed }, Elsewhere),
            Verdict(Connected, Silent),
        ]);
        Assert.Equal(["mptcp", "stripped", "fallback", "blackholed"], compared.Select(verdict => verdict.Word));
    }

    [Fact]
    public void Each_says_what_was_seen_and_what_follows()
    {
        Assert.Equal("tcp 12.0 ms, mptcp no answer in 0.0 s", Verdict(Connected, Silent).Times);
        Assert.Equal("tcp 12.0 ms, mptcp 12.0 ms as plain TCP", Verdict(Connected, Connected).Times);
        Assert.Equal("tcp 12.0 ms, mptcp rejected", Verdict(Connected, Unreachable).Times);
        Assert.Contains("those without pass: a firewall", Verdict(Connected, Unreachable).Sentence, StringComparison.Ordinal);
        Assert.Equal("tcp no route, mptcp no route", Verdict(Unreachable, Unreachable).Times);
        Assert.Equal("It could not be tried: no socket.", Verdict(Connected, Attempt(AttemptOutcome.Failed) with { Error = "no socket" }).Sentence);
        Assert.Contains("nobody can tell which", Verdict(Connected, Connected).Sentence, StringComparison.Ordinal);
        Assert.Contains("No route to host", Verdict(Unreachable, Unreachable).Sentence, StringComparison.Ordinal);
        Assert.Contains("has no route there", (Verdict(Silent, Silent) with { Way = new("eth5", "eth5", Here, HasRoute: false) }).Sentence, StringComparison.Ordinal);
        Assert.DoesNotContain("has no route there", Verdict(Silent, Silent).Sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, 2.7)] // a kernel that does not say
    [InlineData("2", 2.7)]
    [InlineData("0", 0.9)]
    [InlineData("1", 1.8)]
    [InlineData("128", 2.7)] // never without the option
    public void An_attempt_ends_before_the_kernel_leaves_the_option_out(string? repeats, double seconds)
    {
        var folder = Directory.CreateTempSubdirectory("bondline-sysctls-");
        if (repeats is not null) File.WriteAllText(Path.Combine(folder.FullName, "syn_retrans_before_tcp_fallback"), repeats + "\n");
        Assert.Equal(TimeSpan.FromSeconds(seconds), new MptcpCheck(new(folder.FullName)).Limit);
        folder.Delete(recursive: true);
    }

    private static MptcpAttempt Attempt(AttemptOutcome outcome) => new(outcome, outcome == AttemptOutcome.Connected ? TimeSpan.FromMilliseconds(12) : TimeSpan.Zero);

    private static MptcpVerdict Verdict(MptcpAttempt plain, MptcpAttempt multipath, IPEndPoint? target = null) =>
        new(new("eth0", "eth0", target ?? Here, HasRoute: true), plain, multipath, MptcpVerdict.Judge(plain, multipath));
}
