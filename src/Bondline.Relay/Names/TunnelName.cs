using System.Buffers;

namespace Bondline.Relay;

/// <summary>What may stand before the relay's domain in a tunnel's URL.</summary>
internal static class TunnelName
{
    public const int MinLength = 3, MaxLength = 63; // 63: a label of the DNS (RFC 1035 section 2.3.4)

    private static readonly SearchValues<char> Allowed = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-");

    // Names visitors trust to be the relay's own, or that mail and browsers look up by themselves.
    private static readonly HashSet<string> Reserved = new(StringComparer.Ordinal)
    {
        "account", "accounts", "acme", "admin", "administrator", "auth", "autoconfig", "autodiscover", "billing", "bondline", "broadcasthost", "dashboard", "dns",
        "ftp", "hostmaster", "imap", "inspector", "isatap", "localdomain", "localhost", "login", "mail", "mta-sts", "noc", "ns1", "ns2", "ns3", "ns4", "pop3",
        "postmaster", "relay", "root", "security", "smtp", "ssh", "ssl", "sso", "status", "support", "sysadmin", "tls", "usenet", "webmail", "webmaster", "wpad", "www",
    };

    /// <returns>What is wrong with <paramref name="name"/>, as the end of a sentence that begins with it; null if nothing is.</returns>
    public static string? Problem(string name)
    {
        if (name.Length is < MinLength or > MaxLength) return $"must have {MinLength} to {MaxLength} characters";
        if (name.AsSpan().ContainsAnyExcept(Allowed)) return "may have lower-case letters, digits and hyphens only";
        if (name[0] == '-' || name[^1] == '-') return "may not begin or end with a hyphen";
        // The third and fourth character "--" mark encoded names (RFC 5891 section 4.2.3.1): they show as something else in a browser.
        if (name.Length >= 4 && name[2] == '-' && name[3] == '-') return "may not have two hyphens in third and fourth place";
        return Reserved.Contains(name) ? "is reserved" : null;
    }
}
