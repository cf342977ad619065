using System.Buffers;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>The relay's tokens: kept in the store, answered from memory. Thread-safe.</summary>
internal sealed class TokenDirectory : IAgentAuthenticator
{
    private const int SecretLength = 32, IdLength = 12, MaxNameLength = 64;

    private static readonly AuthenticationResult Refused = new(ProtocolError.TokenRefused, "The relay does not know this token.");
    private static readonly AuthenticationResult Revoked = new(ProtocolError.TokenRevoked, "The token was revoked.");
    private static readonly byte[] NobodysHash = new byte[SHA256.HashSizeInBytes];

    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    private readonly RelayStore _store;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, TokenRecord> _byId = new(StringComparer.Ordinal);

    public TokenDirectory(RelayStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
        foreach (var token in store.Tokens()) _byId[token.Id] = token;
    }

    /// <summary>Oldest first; revoked ones are kept, so that their agents are told.</summary>
    public IReadOnlyList<TokenRecord> All => [.. _byId.Values.OrderBy(token => token.Created).ThenBy(token => token.Id, StringComparer.Ordinal)];

    /// <returns>The token with its secret, which is kept nowhere else.</returns>
    /// <exception cref="RelayException">The name is not usable, or an unrevoked token has it.</exception>
    public Token Create(string name)
    {
        if (name.Length is 0 or > MaxNameLength || name.AsSpan().ContainsAnyExcept(NameCharacters))
            throw new RelayException("usage", $"\"{name}\" cannot name a token: 1 to 64 letters, digits, dots, hyphens and underscores can");
        var secret = RandomNumberGenerator.GetBytes(SecretLength);
        var token = new Token(RandomNumberGenerator.GetString("abcdefghijkmnpqrstuvwxyz23456789", IdLength), new SecretBytes(secret));
        var record = new TokenRecord(token.Id, name, SHA256.HashData(secret), _time.GetUtcNow(), null);
        if (!_store.TryAddToken(record)) throw new RelayException("token-exists", $"there is already a token \"{name}\"", $"Take another name, or run \"bondline relay token revoke {name}\" first");
        _byId[record.Id] = record;
        return token;
    }

    /// <summary>Revokes the token for ever; whoever calls ends its bonds.</summary>
    /// <exception cref="RelayException">No unrevoked token has the name.</exception>
    public TokenRecord Revoke(string name)
    {
        var token = _byId.Values.FirstOrDefault(token => token.Name == name && token.Revoked is null)
            ?? throw new RelayException("token-unknown", $"there is no token \"{name}\"", "Run \"bondline relay token list\" to see those there are");
        var now = _time.GetUtcNow();
        _store.RevokeToken(token.Id, now);
        return _byId[token.Id] = token with { Revoked = now };
    }

    public bool IsValid(string id) => _byId.TryGetValue(id, out var token) && token.Revoked is null;

    public string NameOf(string id) => _byId.TryGetValue(id, out var token) ? token.Name : id;

    /// <remarks>An unknown id and a wrong secret cost the same and get the same answer; that a token was revoked is told only to who has its secret.</remarks>
    public ValueTask<AuthenticationResult> AuthenticateAsync(Token token, CancellationToken cancellationToken)
    {
        var record = _byId.GetValueOrDefault(token.Id);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(token.Secret.Bytes, hash);
        var isRight = CryptographicOperations.FixedTimeEquals(hash, record?.SecretHash ?? NobodysHash) && record is not null;
        return new(!isRight ? Refused : record!.Revoked is null ? AuthenticationResult.Accepted : Revoked);
    }
}
