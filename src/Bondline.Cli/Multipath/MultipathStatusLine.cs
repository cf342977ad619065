using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>What <c>status --json</c> prints: one object.</summary>
internal sealed record MultipathStatusLine(
    string Event,
    bool Works,
    string? Code,
    IReadOnlyList<string> Networks,
    string Kernel,
    bool IsSupported,
    IReadOnlyList<StatusSetting> Settings,
    StatusLimits? Limits,
    IReadOnlyList<StatusEndpoint>? Endpoints,
    IReadOnlyList<StatusInterface> Interfaces,
    string? NetworkManager,
    bool IsMptcpdRunning,
    bool IsEnabledByBondline,
    bool IsPersistent,
    IReadOnlyList<Advice> Missing,
    IReadOnlyList<Advice> Advice,
    string Security)
{
    public static MultipathStatusLine From(MultipathStatus status, string kernel, bool isEnabledByBondline, bool isPersistent)
    {
        var facts = status.Facts;
        return new(
            "status",
            status.Works,
            status.Code,
            status.Networks,
            kernel,
            facts.IsSupported,
            [.. facts.Settings.Select(setting => new StatusSetting($"net.mptcp.{setting.Key}", setting.Value, MultipathSettings.Meaning(setting.Key)))],
            facts.Limits is { } limits ? new(limits.Subflows, limits.AcceptedAddresses) : null,
            facts.Endpoints is null ? null : [.. facts.Endpoints.Select(endpoint => StatusEndpoint.From(endpoint, facts))],
            [.. status.Plan.Interfaces.Select(verdict => StatusInterface.From(verdict, facts.Interfaces.First(each => each.Index == verdict.Index)))],
            facts.Managers.NetworkManager,
            facts.Managers.IsMptcpdRunning,
            isEnabledByBondline,
            isPersistent,
            status.Missing,
            status.Advice,
            string.Join(' ', MultipathStatus.Security));
    }
}

internal sealed record StatusSetting(string Name, string Value, string? Meaning);

internal sealed record StatusLimits(int Subflows, int AddAddrAccepted);

internal sealed record StatusEndpoint(int Id, string Address, int? Port, string? Interface, IReadOnlyList<string> Flags)
{
    public static StatusEndpoint From(MultipathEndpoint endpoint, MultipathFacts facts) => new(
        endpoint.Id,
        endpoint.Address.ToString(),
        endpoint.Port == 0 ? null : endpoint.Port,
        endpoint.InterfaceIndex == 0 ? null : facts.Interfaces.FirstOrDefault(each => each.Index == endpoint.InterfaceIndex)?.Name ?? $"{endpoint.InterfaceIndex}",
        [.. Enum.GetValues<MultipathEndpointFlags>().Where(flag => flag != 0 && endpoint.Flags.HasFlag(flag)).Select(flag => flag.ToString().ToLowerInvariant())]);
}

/// <summary>One interface; without a reason it is used, or would be.</summary>
internal sealed record StatusInterface(string Interface, bool IsUsed, IReadOnlyList<string> Addresses, IReadOnlyList<string> DefaultRoutes, int ReplyFilter, string? NetworkManagerConnection, string? Reason, string? Detail, string? Command)
{
    public static StatusInterface From(InterfaceVerdict verdict, InterfaceFacts facts) => new(
        verdict.Name,
        verdict.LeftOut is null,
        [.. facts.State.Addresses.Where(address => !address.IsLinkLocal).Select(address => $"{address.Address}/{address.PrefixLength}")],
        [.. facts.State.Routes.Where(route => route.IsDefault).SelectMany(route => route.NextHops.Where(hop => hop.Interface == facts.Index).Select(hop => Words(route, hop)))],
        facts.ReplyFilter,
        facts.Connection,
        verdict.LeftOut?.Reason,
        verdict.LeftOut?.Detail,
        verdict.LeftOut?.Command);

    private static string Words(RouteMessage route, NextHop hop) =>
        $"{(route.Destination.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? "IPv6 " : "")}{(hop.Gateway is null ? "direct" : $"via {hop.Gateway}")}, metric {route.Metric}{(route.Table == RouteMessage.MainTable ? "" : $", table {route.Table}")}";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(MultipathStatusLine))]
internal sealed partial class MultipathStatusJson : JsonSerializerContext
{
    // As in EventJson: the line never goes into a page.
    public static MultipathStatusJson Lines => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
