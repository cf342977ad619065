using Bondline.Protocol;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class TokenDirectoryTests : IDisposable
{
    private readonly RelayStore _store = RelayStore.Open(null);
    private readonly TokenDirectory _tokens;

    public TokenDirectoryTests() => _tokens = new(_store, TimeProvider.System);

    public void Dispose() => _store.Dispose();

    [Fact]
    public async Task A_token_is_accepted_with_its_secret_only()
    {
        var token = _tokens.Create("laptop");
        Assert.True((await _tokens.AuthenticateAsync(token, TestContext.Current.CancellationToken)).IsAccepted);
        var wrong = await _tokens.AuthenticateAsync(token with { Secret = new(new byte[32]) }, TestContext.Current.CancellationToken);
        Assert.Equal(ProtocolError.TokenRefused, wrong.Error);
        Assert.Equal(wrong, await _tokens.AuthenticateAsync(token with { Id = "unknown" }, TestContext.Current.CancellationToken)); // unknown and wrong look the same
        Assert.Equal(wrong, await _tokens.AuthenticateAsync(new("unknown", new(new byte[32])), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_revoked_token_is_told_so_only_to_who_has_it()
    {
        var token = _tokens.Create("laptop");
        _tokens.Revoke("laptop");
        Assert.False(_tokens.IsValid(token.Id));
        Assert.Equal(ProtocolError.TokenRevoked, (await _tokens.AuthenticateAsync(token, TestContext.Current.CancellationToken)).Error);
        Assert.Equal(ProtocolError.TokenRefused, (await _tokens.AuthenticateAsync(token with { Secret = new(new byte[32]) }, TestContext.Current.CancellationToken)).Error);
    }

    [Fact]
    public async Task Tokens_outlive_the_process_that_made_them()
    {
        var (kept, revoked) = (_tokens.Create("kept"), _tokens.Create("revoked"));
        _tokens.Revoke("revoked");
        var again = new TokenDirectory(_store, TimeProvider.System);
        Assert.True((await again.AuthenticateAsync(kept, TestContext.Current.CancellationToken)).IsAccepted);
        Assert.Equal(ProtocolError.TokenRevoked, (await again.AuthenticateAsync(revoked, TestContext.Current.CancellationToken)).Error);
    }

    [Fact]
    public void The_secret_is_nowhere_in_the_store()
    {
        var token = _tokens.Create("laptop");
        Assert.False(Assert.Single(_store.Tokens()).SecretHash.AsSpan().SequenceEqual(token.Secret.Bytes));
        Assert.Equal(32, Assert.Single(_store.Tokens()).SecretHash.Length);
    }

    [Theory]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("käse")]
    [InlineData("a/b")]
    public void A_token_needs_a_usable_name(string name) => Assert.Equal("usage", Assert.Throws<RelayException>(() => _tokens.Create(name)).Code);

    [Fact]
    public void A_name_is_given_once_and_again_after_it_was_revoked()
    {
        _tokens.Create("laptop");
        Assert.Equal("token-exists", Assert.Throws<RelayException>(() => _tokens.Create("laptop")).Code);
        _tokens.Revoke("laptop");
        Assert.Equal("token-unknown", Assert.Throws<RelayException>(() => _tokens.Revoke("laptop")).Code);
        _tokens.Create("laptop");
        Assert.Equal(2, _tokens.All.Count);
    }

    [Fact]
    public async Task Of_many_who_want_one_name_at_once_one_gets_it()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(() =>
        {
            try
            {
                _tokens.Create("laptop");
                return true;
            }
            catch (RelayException)
            {
                return false;
            }
        })));
        Assert.Single(results, won => won);
        Assert.Single(_tokens.All);
    }
}
