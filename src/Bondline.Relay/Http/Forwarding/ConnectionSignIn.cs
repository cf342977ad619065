using Microsoft.Extensions.Primitives;

namespace Bondline.Relay;

/// <summary>HTTP authentication that signs a connection in and not a request: NTLM, and Negotiate, which may be NTLM within (RFC 4559 section 6). What comes over that connection later is that user's.</summary>
internal static class ConnectionSignIn
{
    /// <param name="values">Of Authorization or WWW-Authenticate. A scheme's name within another one's parameter counts too, which does no harm.</param>
    public static bool IsIn(StringValues values)
    {
        foreach (var value in values)
        {
            foreach (var range in value.AsSpan().Split(','))
            {
                var challenge = value.AsSpan(range).Trim();
                var scheme = challenge.IndexOf(' ') is var end and >= 0 ? challenge[..end] : challenge;
                if (scheme.Equals("NTLM", StringComparison.OrdinalIgnoreCase) || scheme.Equals("Negotiate", StringComparison.OrdinalIgnoreCase)) return true;
            }
        }
        return false;
    }
}
