using System.Text.Json.Serialization;

namespace Bondline.Agent;

/// <summary>What a network carried in the day and the month it was last counted in, by all agents of this user.</summary>
/// <param name="Day">A date of the local calendar.</param>
/// <param name="DayBytes">In that day.</param>
/// <param name="MonthBytes">In its month.</param>
internal sealed record TrafficRecord(DateOnly Day, long DayBytes, long MonthBytes)
{
    /// <summary>Counts more; a count that a damaged file made too large to add to stays, for one below zero would lift every budget.</summary>
    public TrafficRecord Add(long bytes, DateOnly today) => new(today, Sum(Of(BudgetPeriod.Day, today), bytes), Sum(Of(BudgetPeriod.Month, today), bytes));

    /// <summary>What counts towards a budget on that day.</summary>
    public long Of(BudgetPeriod period, DateOnly today) => period switch
    {
        BudgetPeriod.Day => IsOf(today) ? DayBytes : 0,
        _ => IsOf(today) || (Day.Year, Day.Month) == (today.Year, today.Month) ? MonthBytes : 0,
    };

    /// <summary>Its day, or the one after it: the clock was set back, or the machine carried west, over midnight.</summary>
    private bool IsOf(DateOnly today) => Day == today || (today < DateOnly.MaxValue && Day == today.AddDays(1));

    private static long Sum(long count, long bytes) => count > long.MaxValue - bytes ? long.MaxValue : count + bytes;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(TrafficRecord))]
internal sealed partial class TrafficJson : JsonSerializerContext;
