using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>A web proxy that leads to the relay by CONNECT.</summary>
/// <param name="Address">Where it listens.</param>
/// <param name="Credentials">User name and password for Basic, as they go on the wire; null without. Never shown.</param>
/// <param name="Variable">The environment variable that names it, for messages.</param>
public sealed record HttpProxy(HostPort Address, string? Credentials, string Variable)
{
    public override string ToString() => $"the proxy {Address}";
}

/// <summary>Which relays are reached through a proxy, as curl and .NET read it from the environment.</summary>
public sealed class ProxySettings
{
    private const int DefaultPort = 80;

    // curl's order: lower case first, and the scheme's own variable before the one for all.
    private static readonly string[] Variables = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"], ExceptionVariables = ["no_proxy", "NO_PROXY"];

    private readonly HttpProxy? _proxy;
    private readonly string[] _exceptions;

    private ProxySettings(HttpProxy? proxy, string[] exceptions) => (_proxy, _exceptions) = (proxy, exceptions);

    /// <summary>No proxy for anybody.</summary>
    public static ProxySettings None { get; } = new(null, []);

    /// <summary>Reads the environment.</summary>
    /// <param name="environment">Reads a variable; null if it is not set or empty.</param>
    /// <exception cref="FormatException">A proxy is named that cannot be used; the message names the variable and never its password.</exception>
    public static ProxySettings Read(Func<string, string?> environment)
    {
        ArgumentNullException.ThrowIfNull(environment);
        foreach (var variable in Variables)
        {
            if (environment(variable) is not { Length: > 0 } value) continue;
            var exceptions = ExceptionVariables.Select(environment).FirstOrDefault(text => text is not null) ?? "";
            return new(Parse(variable, value), exceptions.Split([',', ' ', '\t'], StringSplitOptions.RemoveEmptyEntries));
        }

        return None;
    }

    /// <summary>The proxy that leads to a relay; null if it is reached directly.</summary>
    public HttpProxy? For(string relayHost)
    {
        ArgumentNullException.ThrowIfNull(relayHost);
        if (_proxy is null) return null;
        var host = relayHost.TrimEnd('.');
        var address = IPAddress.TryParse(host, out var parsed) ? parsed : null;
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (address is not null && IPAddress.IsLoopback(address))) return null;
        return _exceptions.Any(exception => IsExcepted(exception, host, address)) ? null : _proxy;
    }

    private static bool IsExcepted(string exception, string host, IPAddress? address)
    {
        if (exception == "*") return true;
        if (address is not null)
        {
            var text = exception.Trim('[', ']');
            return text.Contains('/', StringComparison.Ordinal) ? IPNetwork.TryParse(text, out var network) && network.Contains(address) : IPAddress.TryParse(text, out var named) && named.Equals(address);
        }

        var domain = exception.Trim('.');
        return domain.Length > 0 && host.EndsWith(domain, StringComparison.OrdinalIgnoreCase) && (host.Length == domain.Length || host[^(domain.Length + 1)] == '.');
    }

    private static HttpProxy Parse(string variable, string value)
    {
        var rest = value.Trim();
        if (rest.IndexOf("://", StringComparison.Ordinal) is >= 0 and var scheme)
        {
            if (!rest.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
                throw new FormatException($"{variable} names a proxy of another kind than http://: {(IsWord(rest[..scheme]) ? rest[..scheme] : "?")}");
            rest = rest[(scheme + 3)..];
        }

        var user = rest.LastIndexOf('@');
        var credentials = user < 0 ? null : Uri.UnescapeDataString(rest[..user]);
        rest = rest[(user + 1)..];
        if (rest.IndexOf('/', StringComparison.Ordinal) is >= 0 and var path) rest = rest[..path];
        if (!HostPort.TryParse(rest, DefaultPort, out var address)) throw new FormatException($"{variable} is not of the form http://[USER:PASSWORD@]HOST[:PORT]");
        if (credentials is not null && !credentials.Contains(':', StringComparison.Ordinal)) credentials += ":";
        return new(address, credentials is null ? null : Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials)), variable);
    }

    private static bool IsWord([NotNullWhen(true)] string? text) => text is { Length: > 0 and <= 16 } && text.All(char.IsAsciiLetterOrDigit);
}
