using System.Globalization;
using System.Net;

namespace Bondline.Lab;

/// <summary>What a traffic program does on its connection.</summary>
public enum TrafficRole
{
    /// <summary>Writes a record of <see cref="TrafficOptions.SizeBytes"/> every <see cref="TrafficOptions.Every"/>.</summary>
    SendRecords,

    /// <summary>Reads records and reports <see cref="RecordReport"/>.</summary>
    ReceiveRecords,

    /// <summary>Writes as fast as it can.</summary>
    SendBulk,

    /// <summary>Reads as fast as it can and reports <see cref="BulkReport"/>.</summary>
    ReceiveBulk,

    /// <summary>Writes a message of <see cref="TrafficOptions.SizeBytes"/> every <see cref="TrafficOptions.Every"/> to an <see cref="Echo"/> and reports <see cref="PingReport"/>.</summary>
    Ping,

    /// <summary>Sends back whatever comes, on any number of connections.</summary>
    Echo,

    /// <summary>Opens <see cref="TrafficOptions.Connections"/> connections to an <see cref="Echo"/>, leaves them idle, and on each report asks whether they still carry bytes: <see cref="HoldReport"/>.</summary>
    Hold,
}

/// <summary>One end of a measurement. Either end may listen or connect, whichever way the bytes go.</summary>
public sealed record TrafficOptions(TrafficRole Role)
{
    /// <summary>Listen here; port 0 takes a free one. Exactly one of this and <see cref="Connect"/>.</summary>
    public IPEndPoint? Listen { get; init; }

    public IPEndPoint? Connect { get; init; }

    /// <value>Default 1024 for records and 64 for pings; 24 to 1,048,576.</value>
    public int SizeBytes { get; init; } = Role == TrafficRole.Ping ? 64 : 1024;

    /// <value>Default 10 ms for records and 20 ms for pings; at least 0.1 ms.</value>
    public TimeSpan Every { get; init; } = TimeSpan.FromMilliseconds(Role == TrafficRole.Ping ? 20 : 10);

    /// <summary>How much <see cref="TrafficRole.SendBulk"/> writes before it ends its direction; 0: until it is told to stop.</summary>
    public long Bytes { get; init; }

    /// <value>Default 1; 1 to 10,000.</value>
    public int Connections { get; init; } = 1;

    /// <summary>Bulk ends compute a SHA-256 of all bytes; without, the sender repeats one block.</summary>
    public bool IsHashed { get; init; } = true;

    /// <summary>The interface the socket is bound to (SO_BINDTODEVICE); null: none.</summary>
    public string? Device { get; init; }

    /// <summary>TCP_CONGESTION of the socket; null leaves the namespace's.</summary>
    public string? CongestionControl { get; init; }

    /// <summary>All problems at once; empty if there are none.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (Listen is null == Connect is null) problems.Add("Name an address to listen at or one to connect to.");
        if (Listen is null && Role == TrafficRole.Echo) problems.Add("An echo listens.");
        if (Connect is null && Role == TrafficRole.Hold) problems.Add("Idle connections are opened, not accepted.");
        if (SizeBytes is < 24 or > 1 << 20) problems.Add($"The size is {SizeBytes} bytes; it must be between 24 and 1,048,576.");
        if (Every < TimeSpan.FromMilliseconds(0.1) || Every > TimeSpan.FromMinutes(1)) problems.Add($"The interval is {Every.TotalMilliseconds} ms; it must be between 0.1 and 60,000 ms.");
        if (Bytes < 0) problems.Add("The number of bytes is negative.");
        if (Connections is < 1 or > 10_000) problems.Add($"There are {Connections} connections; there must be 1 to 10,000.");
        return problems;
    }

    /// <summary>The arguments of <c>bondline lab traffic</c> that mean this.</summary>
    public IEnumerable<string> Arguments()
    {
        yield return Role.ToString();
        if (Listen is not null) yield return $"--listen={Listen}";
        if (Connect is not null) yield return $"--connect={Connect}";
        yield return string.Create(CultureInfo.InvariantCulture, $"--size={SizeBytes}");
        yield return string.Create(CultureInfo.InvariantCulture, $"--every={Every.TotalMilliseconds}");
        yield return string.Create(CultureInfo.InvariantCulture, $"--bytes={Bytes}");
        yield return string.Create(CultureInfo.InvariantCulture, $"--connections={Connections}");
        if (!IsHashed) yield return "--no-hash";
        if (Device is not null) yield return $"--device={Device}";
        if (CongestionControl is not null) yield return $"--congestion-control={CongestionControl}";
    }
}
