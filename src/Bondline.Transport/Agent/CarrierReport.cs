using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>What carries the bond.</summary>
/// <param name="Carrier">Of the subflows that are kept.</param>
/// <param name="Reason">Why, as a clause for people.</param>
/// <param name="HasChoice">There is, or was, something else to choose from.</param>
public sealed record CarrierReport(Carrier Carrier, string Reason, bool HasChoice);
