using Microsoft.Extensions.Logging.Abstractions;

namespace Bondline.Relay.Tests;

internal static class Admissions
{
    public static VisitorAdmission Unlimited { get; } = new(int.MaxValue, int.MaxValue, TimeProvider.System, NullLogger.Instance);
}
