using Bondline.Protocol;

namespace Bondline.Agent;

/// <summary>One tunnel of the agent over all bonds of the process.</summary>
internal sealed class AgentTunnel(ulong id, TunnelRequest request) : IAsyncDisposable
{
    // Made for the first visitor: the URL does not wait for it.
    private readonly Lazy<FolderServer>? _folder = request.Target.Scheme == TargetScheme.Folder ? new(() => new(request.Target.Path!)) : null;

    private volatile bool _isLost, _isUnreachable, _speaksHttp2;

    /// <summary>Chosen here; the same on every bond.</summary>
    public ulong Id => id;

    public LocalTarget Target => request.Target;

    public TunnelRequest Request => request;

    /// <summary>Serves visitors of a folder; null if the tunnel leads to a service.</summary>
    public FolderServer? Folder => _folder?.Value;

    /// <summary>Where visitors come in; null before the relay took the tunnel for the first time.</summary>
    public string? Url { get; private set; }

    /// <summary>Refused or given to somebody else: not asked for again.</summary>
    public bool IsLost
    {
        get => _isLost;
        set => _isLost = value;
    }

    /// <summary>The local service did not answer the last attempt, and the user was told.</summary>
    public bool IsUnreachable
    {
        get => _isUnreachable;
        set => _isUnreachable = value;
    }

    /// <summary>A service behind TLS took HTTP/2 when it was looked at before the first registration.</summary>
    public bool SpeaksHttp2
    {
        get => _speaksHttp2;
        set => _speaksHttp2 = value;
    }

    /// <param name="isTakeover">The user's wish. It counts until the tunnel was ready once: an agent that returns after others took over must not take back.</param>
    public RegisterTunnel Registration(bool isTakeover) =>
        new(id, request.Target.Kind, request.Name, request.RemotePort, isTakeover && Url is null, request.Target.Key)
        {
            Http = Target.Scheme == TargetScheme.H2c ? HttpVersions.Http2 : SpeaksHttp2 ? HttpVersions.Both : null,
            HostHeader = request.HostHeader,
            MayRename = request.MayRename ? true : null,
        };

    public ValueTask DisposeAsync() => _folder is { IsValueCreated: true } ? _folder.Value.DisposeAsync() : ValueTask.CompletedTask;

    /// <returns>True if the user has not heard of this URL.</returns>
    public bool HandleReady(string url)
    {
        if (url == Url) return false;
        Url = url;
        return true;
    }
}
