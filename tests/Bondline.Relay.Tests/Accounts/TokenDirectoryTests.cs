using Bondline.Protocol;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class TokenDirectoryTests : IDisposable
{
    private readonly RelayStore store = RelayStore.Open(null);
    private readonly TokenDirectory tokens;

    public TokenDirectoryTests() => tokens = new(store, TimeProvider.System);

    public void Dispose() => store.Dispose();

    [Fact]
    public async Task A_token_is_accepted_with_its_secret_only()
    {
        var token = tokens.Create("laptop");
        Assert.True((await tokens.AuthenticateAsync(token, TestContext.Current.CancellationToken)).IsAccepted);
        var wrong = await tokens.AuthenticateAsync(token with { Secret = new(new byte[32]) }, TestContext.Current.CancellationToken);
        Assert.Equal(ProtocolError.TokenRefused, wrong.Error);
        Assert.Equal(wrong, await tokens.AuthenticateAsync(token with { Id = "unknown" }, TestContext.Current.CancellationToken)); // unknown and wrong look the same
        Assert.Equal(wrong, await tokens.AuthenticateAsync(new("unknown", new(new byte[32])), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_revoked_token_is_told_so_only_to_who_has_it()
    {
        var token = tokens.Create("laptop");
        tokens.Revoke("laptop");
        Assert.False(tokens.IsValid(token.Id));
        Assert.Equal(ProtocolError.TokenRevoked, (await tokens.AuthenticateAsync(token, TestContext.Current.CancellationToken)).Error);
        Assert.Equal(ProtocolError.TokenRefused, (await tokens.AuthenticateAsync(token with { Secret = new(new byte[32]) }, TestContext.Current.CancellationToken)).Error);
    }

    [Fact]
    public async Task Tokens_outlive_the_process_that_made_them()
    {
        var (kept, revoked) = (tokens.Create("kept"), tokens.Create("revoked"));
        tokens.Revoke("revoked");
        var again = new TokenDirectory(store, TimeProvider.System);
        Assert.True((await again.AuthenticateAsync(kept, TestContext.Current.CancellationToken)).IsAccepted);
        Assert.Equal(ProtocolError.TokenRevoked, (await again.AuthenticateAsync(revoked, TestContext.Current.CancellationToken)).Error);
    }

    [Fact]
    public void The_secret_is_nowhere_in_the_store()
    {
        var token = tokens.Create("laptop");
        Assert.False(Assert.Single(store.Tokens()).SecretHash.AsSpan().SequenceEqual(token.Secret.Bytes));
        Assert.Equal(32, Assert.Single(store.Tokens()).SecretHash.Length);
    }

    [Theory]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("käse")]
    [InlineData("a/b")]
    public void A_token_needs_a_usable_name(string name) => Assert.Equal("usage", Assert.Throws<RelayException>(() => tokens.Create(name)).Code);

    [Fact]
    public void A_name_is_given_once_and_again_after_it_was_revoked()
    {
        tokens.Create("laptop");
        Assert.Equal("token-exists", Assert.Throws<RelayException>(() => tokens.Create("laptop")).Code);
        tokens.Revoke("laptop");
        Assert.Equal("token-unknown", Assert.Throws<RelayException>(() => tokens.Revoke("laptop")).Code);
        tokens.Create("laptop");
        Assert.Equal(2, tokens.All.Count);
    }

    [Fact]
    public async Task Of_many_who_want_one_name_at_once_one_gets_it()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(() =>
        {
            try
            {
                tokens.Create("laptop");
                return true;
            }
            catch (RelayException)
            {
                return false;
            }
        })));
        Assert.Single(results, won => won);
        Assert.Single(tokens.All);
    }
}
