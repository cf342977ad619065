using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bondline.Protocol;

/// <summary>A call of <see cref="Bond"/>, as a bond record names it.</summary>
internal enum BondCall
{
    Begin,

    /// <summary>No call: what the user knows a subflow by.</summary>
    Path,
    AddSubflow,
    RemoveSubflow,
    LinkLost,
    LinkRestored,
    Policy,
    Mode,
    TcpSample,
    ClockLate,
    Resumed,
    Receive,
    Transmit,
    TransmitMore,
    Timeout,
    Open,
    Write,
    Give,
    Finish,
    Read,
    Take,
    Reset,
    Stop,
    Close,
}

/// <summary>A line of a bond record: one input of one bond's engine, and what the engine made of it (docs/record.md).</summary>
/// <remarks>Each call has the members it needs; the others are null and not written.</remarks>
internal sealed class BondInput
{
    /// <summary>Microseconds of the process's clock; see <see cref="Instant"/>.</summary>
    public long At { get; init; }

    /// <summary>Which bond of the record.</summary>
    public int Bond { get; init; }

    public required BondCall Call { get; init; }

    public BondRole? Role { get; init; }

    /// <summary>Of the engine's generator.</summary>
    public ulong? Seed { get; init; }

    public RecordedOptions? Options { get; init; }

    public ulong? Subflow { get; init; }

    public ulong? Stream { get; set; }

    /// <summary>The path's name, or the reason of a close.</summary>
    public string? Text { get; init; }

    public SubflowPolicy? Policy { get; init; }

    /// <summary>Of a new subflow: the kernel spreads it over several paths.</summary>
    public bool? IsMultipath { get; init; }

    public BondMode? Mode { get; init; }

    public SubflowReason? Reason { get; init; }

    /// <summary>Microseconds: the first round trip, or how late the clock was.</summary>
    public long? Span { get; init; }

    /// <summary>Bytes the caller offered, or had room for; parts for <see cref="BondCall.Take"/>.</summary>
    public int? Size { get; init; }

    /// <summary>Lengths of the segments offered by <see cref="BondCall.Give"/>.</summary>
    public int[]? Parts { get; init; }

    /// <summary>A <see cref="StreamError"/> or <see cref="ProtocolError"/>.</summary>
    public ulong? Code { get; init; }

    /// <summary>What was received or written; <see cref="RecordedBytes"/> has its form.</summary>
    public string? Bytes { get; init; }

    public RecordedTcpSample? Tcp { get; init; }

    /// <summary>What the call returned; null if it returns nothing, or threw.</summary>
    public int? Result { get; set; }

    /// <summary>Of the bytes that came out.</summary>
    public uint? Check { get; set; }
}

/// <summary>The first line of a bond record.</summary>
/// <param name="BondRecord">The version of the form: 1.</param>
/// <param name="Program">Who wrote it.</param>
/// <param name="Began">The time of day, for people.</param>
/// <param name="HasPayload">The bytes of streams are in it.</param>
internal sealed record RecordHeader(int BondRecord, string Program, string Began, bool HasPayload)
{
    public const int Version = 1;
}

/// <summary><see cref="BondOptions"/> as far as they decide anything.</summary>
internal sealed record RecordedOptions(long MemoryBudget, int InitialWindow, int ManyStreams, int SendBuffer, int MaxStreams, int MaxSubflows, long SuspectMargin, long AckDelay)
{
    public static RecordedOptions Of(BondOptions options) => new(
        options.MemoryBudgetBytes,
        options.InitialStreamWindowBytes,
        options.ManyStreams,
        options.MaxStreamSendBufferBytes,
        options.MaxStreams,
        options.MaxSubflows,
        options.SuspectMargin.Ticks,
        options.AckDelay.Ticks);

    /// <exception cref="FormatException">A value no bond has.</exception>
    public BondOptions ToOptions(SegmentPool segments)
    {
        var isPlausible = MemoryBudget is >= 0 and <= 1L << 30 && InitialWindow is > 0 and <= 1 << 26 && ManyStreams >= 0 && SendBuffer is > 0 and <= 1 << 28
            && MaxStreams is > 0 and <= 1 << 20 && MaxSubflows is > 0 and <= 256 && SuspectMargin is >= 0 and <= TimeSpan.TicksPerMinute && AckDelay is >= 0 and <= TimeSpan.TicksPerMinute;
        if (!isPlausible) throw new FormatException("options no bond has");
        return new()
        {
            MemoryBudgetBytes = MemoryBudget,
            InitialStreamWindowBytes = InitialWindow,
            ManyStreams = ManyStreams,
            MaxStreamSendBufferBytes = SendBuffer,
            MaxStreams = MaxStreams,
            MaxSubflows = MaxSubflows,
            SuspectMargin = new(SuspectMargin),
            AckDelay = new(AckDelay),
            Segments = segments,
        };
    }
}

/// <summary>A <see cref="TcpSample"/>; times in ticks of 100 ns.</summary>
internal sealed record RecordedTcpSample(long Rtt, long RttVariation, long MinRtt, long Rate, bool IsAppLimited, long SinceLastAck, int Backoff, long Retransmitted, long Acked, long NotSent)
{
    public static RecordedTcpSample Of(in TcpSample sample) => new(
        sample.Rtt.Ticks,
        sample.RttVariation.Ticks,
        sample.MinRtt.Ticks,
        sample.DeliveryRateBytesPerSecond,
        sample.IsAppLimited,
        sample.SinceLastAck.Ticks,
        sample.Backoff,
        sample.BytesRetransmitted,
        sample.BytesAcked,
        sample.NotSentBytes);

    public TcpSample ToSample() => new(new(Rtt), new(RttVariation), new(MinRtt), Rate, IsAppLimited, new(SinceLastAck), Backoff, Retransmitted, Acked, NotSent);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    Converters = [typeof(Names<BondCall>), typeof(Names<BondRole>), typeof(Names<SubflowPolicy>), typeof(Names<SubflowReason>), typeof(Names<BondMode>)])]
[JsonSerializable(typeof(BondInput))]
[JsonSerializable(typeof(RecordHeader))]
internal sealed partial class RecordJson : JsonSerializerContext
{
    /// <summary>As it is written in a record.</summary>
    public static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());
}

/// <summary>Enumerations by their names in the style of options.</summary>
internal sealed class Names<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.KebabCaseLower, allowIntegerValues: false)
    where T : struct, Enum;
