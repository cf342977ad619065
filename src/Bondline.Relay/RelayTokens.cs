using Bondline.Protocol;

namespace Bondline.Relay;

/// <summary>A token as its operator sees it.</summary>
public sealed record TokenView(string Name, string Id, DateTimeOffset Created, DateTimeOffset? Revoked);

/// <summary>Creates, lists and revokes a relay's tokens: through the relay if it is running, in its data folder if it is not.</summary>
/// <param name="folder">The data folder; null for the default one. Only creating a token makes one.</param>
/// <param name="time">Default null: the system's.</param>
/// <remarks>Each method throws <see cref="RelayException"/> where it cannot do what was asked.</remarks>
public sealed class RelayTokens(string? folder, TimeProvider? time = null)
{
    private const string StoreFile = "relay.db";

    private readonly string _folder = DataFolder.PathOf(folder);
    private readonly bool _isNamed = folder is not null;
    private readonly TimeProvider _time = time ?? TimeProvider.System;

    /// <summary>The data folder's full path.</summary>
    public string Folder => _folder;

    /// <summary>Whether a relay that runs with this folder did what was asked last; if not, it is done for the next start of one.</summary>
    public bool IsRelayRunning { get; private set; }

    /// <param name="name">For the operator; unique among tokens that are not revoked.</param>
    /// <param name="host"><c>HOST[:PORT]</c> agents are to dial; null for what the relay last knew of itself.</param>
    /// <param name="cancellationToken">Gives up waiting for a running relay.</param>
    /// <returns>The join URL, the only place where the token's secret is.</returns>
    public async Task<string> CreateAsync(string name, string? host, CancellationToken cancellationToken = default)
    {
        if (await AskAsync(new(TokenVerb.Create, name, host), cancellationToken) is { JoinUrl: { } joinUrl }) return joinUrl;
        MakeFolder();
        using var store = RelayStore.Open(StoreIn(_folder));
        using var identity = RelayIdentity.LoadOrCreate(_folder);
        var known = store.Setting("host") is { } saved ? ParseHost(saved, default) : new HostPort(PublicAddress.Find().ToString(), JoinUrl.DefaultPort);
        return CreateJoinUrl(new TokenDirectory(store, _time), identity, name, ParseHost(host, known)).Format();
    }

    /// <summary>All tokens, oldest first, revoked ones included.</summary>
    public async Task<IReadOnlyList<TokenView>> ListAsync(CancellationToken cancellationToken = default)
    {
        if (await AskAsync(new(TokenVerb.List), cancellationToken) is { } reply) return reply.Tokens ?? [];
        using var store = FindStore();
        return View(new TokenDirectory(store, _time));
    }

    /// <summary>Ends the token for ever: its bonds are closed at once, its names and ports are free.</summary>
    public async Task RevokeAsync(string name, CancellationToken cancellationToken = default)
    {
        if (await AskAsync(new(TokenVerb.Revoke, name), cancellationToken) is not null) return;
        using var store = FindStore();
        new TokenDirectory(store, _time).Revoke(name);
    }

    /// <summary>Refuses the default folder where the relay that runs has another.</summary>
    internal Task CheckFolderAsync(CancellationToken cancellationToken) => AskAsync(new(TokenVerb.List), cancellationToken);

    private async Task<TokenReply?> AskAsync(TokenRequest request, CancellationToken cancellationToken)
    {
        var reply = await TokenSocket.AskAsync(_folder, request, cancellationToken);
        IsRelayRunning = reply is not null;
        // The relay of another user, or of another folder: its agents would never see what is changed here.
        if (reply is null && !_isNamed && RunningRelays.Find() is { } other)
            throw new RelayException(
                "data-unusable", $"a relay is running (process {other}), but not with {_folder}, this user's own data folder", $"Name the relay's folder with --data DIR and run this as the relay's user; --data {_folder} means the one named here");
        return reply;
    }

    private void MakeFolder()
    {
        try
        {
            DataFolder.Open(_folder);
        }
        catch (RelayException error)
        {
            throw new RelayException(error.Code, error.Message, DataFolder.AsOwner);
        }
    }

    private RelayStore FindStore() => RelayStore.Open(DataFolder.Find(_folder, StoreFile));

    internal static string StoreIn(string folder) => Path.Combine(folder, StoreFile);

    internal static IReadOnlyList<TokenView> View(TokenDirectory tokens) => [.. tokens.All.Select(token => new TokenView(token.Name, token.Id, token.Created, token.Revoked))];

    internal static JoinUrl CreateJoinUrl(TokenDirectory tokens, RelayIdentity identity, string name, HostPort host) =>
        new(tokens.Create(name), [host], [KeyPin.FromHash(identity.PublicKeyHash.Span)]);

    /// <summary>Reads <c>HOST[:PORT]</c>, with IPv6 addresses in brackets where a port follows.</summary>
    /// <param name="text">Null for <paramref name="known"/> as it is.</param>
    /// <param name="known">Its port is taken where <paramref name="text"/> has none.</param>
    internal static HostPort ParseHost(string? text, HostPort known)
    {
        if (text is null) return known;
        return HostPort.TryParse(text, known.Port == 0 ? JoinUrl.DefaultPort : known.Port, out var parsed)
            ? parsed
            : throw new RelayException("usage", $"--host {text} is not HOST or HOST:PORT");
    }
}
