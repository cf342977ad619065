using System.Net;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>What the relay tells its operator. Ids 2000 to 2999.</summary>
internal static partial class RelayLog
{
    [LoggerMessage(2000, LogLevel.Information, "Listening: TLS on {Https}, HTTP on {Http}, TCP tunnels on {TcpPorts}; by {Protocols}")]
    public static partial void Listening(this ILogger log, string https, string http, string tcpPorts, string protocols);

    [LoggerMessage(2001, LogLevel.Warning, "Cannot accept on {EndPoint}: {Why}; trying again in {WaitMs} ms")]
    public static partial void AcceptFailed(this ILogger log, EndPoint? endPoint, string why, int waitMs);

    [LoggerMessage(2002, LogLevel.Error, "Serving a connection to {EndPoint} failed: this is a bug")]
    public static partial void ServingFailed(this ILogger log, EndPoint? endPoint, Exception exception);

    [LoggerMessage(2003, LogLevel.Debug, "{Remote} sent no TLS to the TLS port ({Kind}); closed")]
    public static partial void NotTls(this ILogger log, EndPoint? remote, FirstBytesKind kind);

    [LoggerMessage(2004, LogLevel.Debug, "{Remote} closed: {Why}")]
    public static partial void Dropped(this ILogger log, EndPoint? remote, string why);

    [LoggerMessage(2010, LogLevel.Information, "Token {Name} created")]
    public static partial void TokenCreated(this ILogger log, string name);

    [LoggerMessage(2011, LogLevel.Information, "Token {Name} revoked; its bonds are closed and its names and ports free")]
    public static partial void TokenRevoked(this ILogger log, string name);

    [LoggerMessage(2012, LogLevel.Warning, "A request on the control socket failed: {Why}")]
    public static partial void ControlFailed(this ILogger log, string why);

    [LoggerMessage(2013, LogLevel.Error, "Answering on the control socket failed: this is a bug")]
    public static partial void AnsweringFailed(this ILogger log, Exception exception);

    [LoggerMessage(2014, LogLevel.Warning, "All tokens are revoked, so no agent can join; \"bondline relay token create NAME --data {Folder}\" makes another")]
    public static partial void NoTokenLeft(this ILogger log, string folder);

    [LoggerMessage(2015, LogLevel.Warning, "The store did not take a change of {What}, which is not kept over a restart: {Why}")]
    public static partial void NotStored(this ILogger log, object what, string why);

    [LoggerMessage(2020, LogLevel.Information, "Bond {Bond}: agent {Instance} of token {Token}")]
    public static partial void AgentJoined(this ILogger log, object bond, Guid instance, string token);

    [LoggerMessage(2021, LogLevel.Information, "Bond {Bond}: over")]
    public static partial void AgentLeft(this ILogger log, object bond);

    [LoggerMessage(2022, LogLevel.Warning, "Bond {Bond}: the agent broke the protocol: {Why}")]
    public static partial void AgentMisbehaved(this ILogger log, object bond, string why);

    [LoggerMessage(2023, LogLevel.Error, "Bond {Bond}: serving its control stream failed, and it is closed: this is a bug")]
    public static partial void ControlStreamFailed(this ILogger log, object bond, Exception exception);

    [LoggerMessage(2030, LogLevel.Information, "Bond {Bond}: tunnel {Tunnel} ready at {Url}")]
    public static partial void TunnelReady(this ILogger log, object bond, ulong tunnel, string url);

    [LoggerMessage(2031, LogLevel.Information, "Bond {Bond}: tunnel {Tunnel} refused ({Code}): {Why}")]
    public static partial void TunnelRefused(this ILogger log, object bond, ulong tunnel, string code, string why);

    [LoggerMessage(2032, LogLevel.Information, "{Url} closed")]
    public static partial void TunnelClosed(this ILogger log, string url);

    [LoggerMessage(2033, LogLevel.Warning, "{Url} was taken over by agent {Instance}")]
    public static partial void TunnelTakenOver(this ILogger log, string url, Guid instance);

    [LoggerMessage(2040, LogLevel.Debug, "Visitor {Visitor} of {Url}: {Why}")]
    public static partial void VisitorFailed(this ILogger log, EndPoint? visitor, string url, string why);

    [LoggerMessage(2041, LogLevel.Warning, "Visitors hold {Limit} connections, the most this process may give them: more are reset. A higher limit of open files (LimitNOFILE, ulimit -n) allows more")]
    public static partial void TooManyVisitors(this ILogger log, int limit);

    [LoggerMessage(2042, LogLevel.Warning, "{Source} holds {Limit} connections, the most one source of visitors may have: more from there are reset")]
    public static partial void TooManyOfOneSource(this ILogger log, IPAddress source, int limit);
}
