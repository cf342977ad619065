using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;

namespace Bondline.Relay;

/// <summary>What visitors of the TLS port see: certificates of the relay's own root, made when they are first asked for and again before they run out. Thread-safe.</summary>
/// <param name="authority">Called once, for the first visitor.</param>
/// <param name="domain">One certificate is for it and the names under it; null if tunnels have ports.</param>
/// <param name="host">How the relay is known besides.</param>
/// <param name="isTunnel">Whether a host name leads to a tunnel.</param>
/// <param name="time">Decides when they are renewed.</param>
internal sealed class VisitorCertificates(Func<CertificateAuthority> authority, string? domain, string? host, Func<string, bool> isTunnel, TimeProvider time) : IDisposable
{
    private const int MaxKept = 256;

    /// <summary>Of 90 days.</summary>
    private static readonly TimeSpan RenewAfter = TimeSpan.FromDays(60);

    private readonly Lazy<CertificateAuthority> _authority = new(authority);

    // Never disposed: a handshake may be using them. They are few.
    private readonly ConcurrentDictionary<string, Issued> _issued = new(StringComparer.OrdinalIgnoreCase);

    /// <param name="serverName">What the visitor asked for (SNI); null or empty if it asked for an address.</param>
    /// <param name="local">The address it reached.</param>
    public SslStreamCertificateContext For(string? serverName, IPAddress? local)
    {
        var own = OwnName(serverName, local);
        var now = time.GetUtcNow();
        if (_issued.TryGetValue(own, out var issued) && now < issued.Renew) return issued.Certificate;
        if (_issued.Count >= MaxKept) _issued.Clear();
        issued = new(SslStreamCertificateContext.Create(_authority.Value.Issue(Hosts(own), now), additionalCertificates: null, offline: true), now + RenewAfter);
        _issued[own] = issued;
        return issued.Certificate;
    }

    public void Dispose()
    {
        if (_authority.IsValueCreated) _authority.Value.Dispose();
    }

    /// <summary>The name that the certificate of all does not have; empty if there is none.</summary>
    private string OwnName(string? serverName, IPAddress? local)
    {
        if (string.IsNullOrEmpty(serverName)) return local is null ? "" : (local.IsIPv4MappedToIPv6 ? local.MapToIPv4() : local).ToString();
        // No client takes a wildcard right under a top-level name, as in *.localhost.
        return domain is not null && !domain.Contains('.', StringComparison.Ordinal) && isTunnel(serverName) ? serverName : "";
    }

    private IEnumerable<string> Hosts(string own) =>
        new[] { domain, domain is null ? null : $"*.{domain}", host, own, "localhost" }.OfType<string>().Where(name => name.Length > 0).Distinct(StringComparer.OrdinalIgnoreCase);

    private sealed record Issued(SslStreamCertificateContext Certificate, DateTimeOffset Renew);
}
