namespace Bondline.Relay;

/// <summary>What a relay lets HTTP visitors do.</summary>
public sealed record HttpLimits
{
    /// <summary>Of a request line or, in HTTP/2, of one header: longer ones are refused whatever <see cref="MaxHeaderBytes"/> says.</summary>
    internal const int LongestRequestLine = 16 << 10;

    /// <summary>Of all headers of a request, names and values.</summary>
    /// <value>Default 128 KiB; 4 KiB to 1 MiB.</value>
    public int MaxHeaderBytes { get; init; } = 128 << 10;

    /// <summary>Of a request's body.</summary>
    /// <value>Default null: bodies of any size.</value>
    public long? MaxBodyBytes { get; init; }

    /// <summary>A request or WebSocket over which nothing has passed for so long is ended.</summary>
    /// <value>Default null: never; a bond may stand still and go on.</value>
    public TimeSpan? IdleTimeout { get; init; }

    /// <summary>By which it is measured for services of HTTP/1.1, and how long their connections are idle.</summary>
    internal TimeProvider Time { get; init; } = TimeProvider.System;

    internal IEnumerable<string> Problems()
    {
        if (MaxHeaderBytes is < 4 << 10 or > 1 << 20) yield return $"--max-header-bytes is {MaxHeaderBytes}; it must be between 4096 and 1048576";
        if (MaxBodyBytes < 0) yield return $"--max-body-bytes is {MaxBodyBytes}; it must not be negative";
        if (IdleTimeout < TimeSpan.FromSeconds(1) || IdleTimeout > TimeSpan.FromDays(7)) yield return $"--idle-timeout is {IdleTimeout.Value.TotalSeconds:0}; it must be between 1 and 604800 seconds";
    }
}
