using System.Net;
using System.Security.Cryptography;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class RelayIdentityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_key_is_made_once_and_only_its_owner_may_read_it()
    {
        using var first = RelayIdentity.LoadOrCreate(_folder.Path);
        using var second = RelayIdentity.LoadOrCreate(_folder.Path);
        Assert.Equal(first.PublicKeyHash, second.PublicKeyHash, (a, b) => a.Span.SequenceEqual(b.Span));
        Assert.Equal(first.RelayId, second.RelayId);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Assert.Single(Directory.GetFiles(_folder.Path))));
    }

    [Fact]
    public async Task Many_who_make_it_at_once_agree_on_one()
    {
        using var together = new Barrier(8);
        var hashes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
            () =>
            {
                together.SignalAndWait(TestContext.Current.CancellationToken);
                using var identity = RelayIdentity.LoadOrCreate(_folder.Path);
                return Convert.ToHexString(identity.PublicKeyHash.Span);
            },
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));
        Assert.Single(hashes.Distinct());
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void The_certificate_shows_the_pinned_key_and_the_relays_names()
    {
        using var identity = RelayIdentity.Create();
        using var certificate = identity.CreateCertificate("lab.test", IPAddress.Loopback, DateTimeOffset.UtcNow);
        Assert.Equal(identity.PublicKeyHash.ToArray(), SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));
        Assert.True(certificate.HasPrivateKey);
        Assert.True(certificate.MatchesHostname("lab.test"));
        Assert.True(certificate.MatchesHostname("shop.lab.test"));
        Assert.True(certificate.MatchesHostname("127.0.0.1"));
        Assert.False(certificate.MatchesHostname("other.test"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")]
    public void A_broken_key_is_refused_and_left_alone(string content)
    {
        File.WriteAllText(_folder["relay-key.pem"], content);
        Assert.Equal("data-unusable", Assert.Throws<RelayException>(() => RelayIdentity.LoadOrCreate(_folder.Path)).Code);
        Assert.Equal(content, File.ReadAllText(_folder["relay-key.pem"]));
    }
}
