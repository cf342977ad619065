using System.Net;
using System.Security.Cryptography.X509Certificates;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class CertificateAuthorityTests : IDisposable
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_root_is_made_once_and_only_its_owner_may_read_it()
    {
        using var first = CertificateAuthority.LoadOrCreate(_folder.Path, Now);
        using var second = CertificateAuthority.LoadOrCreate(_folder.Path, Now.AddDays(1));
        Assert.Equal(first.Pem, second.Pem);
        Assert.DoesNotContain("PRIVATE", first.Pem, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Assert.Single(Directory.GetFiles(_folder.Path))));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
    public void A_broken_root_is_refused_and_left_alone(string content)
    {
        File.WriteAllText(_folder["relay-ca.pem"], content);
        Assert.Equal("data-unusable", Assert.Throws<RelayException>(() => CertificateAuthority.LoadOrCreate(_folder.Path, Now)).Code);
        Assert.Equal(content, File.ReadAllText(_folder["relay-ca.pem"]));
    }

    [Fact]
    public void A_certificate_that_may_not_sign_is_no_root()
    {
        using var identity = RelayIdentity.Create();
        using var certificate = identity.CreateCertificate("lab.test", null, Now);
        File.WriteAllText(_folder["relay-ca.pem"], $"{certificate.ExportCertificatePem()}\n{certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()}\n");
        Assert.Equal("data-unusable", Assert.Throws<RelayException>(() => CertificateAuthority.LoadOrCreate(_folder.Path, Now)).Code);
    }

    [Fact]
    public void Whoever_trusts_the_root_trusts_what_it_signed_for_those_hosts_only()
    {
        using var authority = CertificateAuthority.Create(Now);
        using var other = CertificateAuthority.Create(Now);
        using var leaf = authority.Issue(["lab.test", "*.lab.test", "127.0.0.1", "::1"], Now);
        Assert.True(IsTrusted(leaf, authority));
        Assert.False(IsTrusted(leaf, other));
        Assert.All(["lab.test", "shop.lab.test", "127.0.0.1", "::1"], host => Assert.True(leaf.MatchesHostname(host)));
        Assert.All(["test", "a.shop.lab.test", "127.0.0.2"], host => Assert.False(leaf.MatchesHostname(host)));
        Assert.InRange(leaf.NotAfter - Now.LocalDateTime, TimeSpan.FromDays(89), TimeSpan.FromDays(91));
    }

    [Fact]
    public void No_certificate_outlives_its_root()
    {
        using var authority = CertificateAuthority.Create(Now);
        using var leaf = authority.Issue(["lab.test"], Now.AddYears(20).AddDays(-5));
        Assert.InRange(leaf.NotAfter - Now.AddYears(20).LocalDateTime, TimeSpan.FromSeconds(-1), TimeSpan.Zero);
    }

    [Fact]
    public void A_clock_set_back_since_the_root_was_made_stops_no_visitor()
    {
        using var authority = CertificateAuthority.Create(Now);
        using var leaf = authority.Issue(["lab.test"], Now.AddHours(-1));
        Assert.True(IsTrusted(leaf, authority));
    }

    [Fact]
    public void The_first_visitor_is_served_also_if_a_second_ends_while_the_root_is_made()
    {
        var time = new ManualTime();
        using var certificates = new VisitorCertificates(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return CertificateAuthority.Create(time.GetUtcNow());
        }, "lab.test", null, _ => true, time);
        Assert.True(certificates.For("shop.lab.test", IPAddress.Loopback).TargetCertificate.MatchesHostname("shop.lab.test"));
    }

    [Fact]
    public void Visitors_see_the_same_certificate_until_it_is_time_for_a_new_one()
    {
        var time = new ManualTime();
        using var certificates = new VisitorCertificates(() => CertificateAuthority.Create(time.GetUtcNow()), "lab.test", null, _ => true, time);
        var first = certificates.For("shop.lab.test", IPAddress.Loopback);
        time.Advance(TimeSpan.FromDays(59));
        Assert.Same(first, certificates.For("blog.lab.test", IPAddress.Loopback));
        time.Advance(TimeSpan.FromDays(2));
        var second = certificates.For("shop.lab.test", IPAddress.Loopback);
        Assert.NotSame(first, second);
        Assert.True(second.TargetCertificate.NotAfter > time.GetUtcNow().AddDays(80).LocalDateTime);
    }

    [Fact]
    public void Names_of_nobody_get_no_certificate_of_their_own()
    {
        using var certificates = new VisitorCertificates(() => CertificateAuthority.Create(Now), "localhost", "127.0.0.1", name => name == "shop.localhost", TimeProvider.System);
        var shop = certificates.For("shop.localhost", IPAddress.Loopback).TargetCertificate;
        Assert.Contains("DNS Name=shop.localhost", Names(shop), StringComparison.OrdinalIgnoreCase);
        Assert.Same(certificates.For("other.localhost", IPAddress.Loopback), certificates.For("bank.example", IPAddress.Loopback));
        Assert.DoesNotContain("bank", Names(certificates.For("bank.example", IPAddress.Loopback).TargetCertificate), StringComparison.Ordinal);
        Assert.True(certificates.For("", IPAddress.Parse("::ffff:192.0.2.7")).TargetCertificate.MatchesHostname("192.0.2.7"));
    }

    private static string Names(X509Certificate2 certificate) => string.Join(' ', certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single().EnumerateDnsNames().Select(name => $"DNS Name={name}"));

    private static bool IsTrusted(X509Certificate2 leaf, CertificateAuthority authority)
    {
        using var chain = new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, VerificationTime = Now.LocalDateTime } };
        chain.ChainPolicy.CustomTrustStore.Add(X509Certificate2.CreateFromPem(authority.Pem));
        return chain.Build(leaf);
    }
}
