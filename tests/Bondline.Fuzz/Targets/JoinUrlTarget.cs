using System.Text;

namespace Bondline.Fuzz;

/// <summary>A join URL as somebody pasted it; one that is accepted prints and reads back the same, and nobody sees its secret.</summary>
internal static class JoinUrlTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var text = Encoding.UTF8.GetString(input);
        if (!JoinUrl.TryParse(text, out var url, out var error))
        {
            FuzzTarget.Require(error.Length > 0, "an error says something");
            return;
        }
        FuzzTarget.Require(JoinUrl.TryParse(url.Format(), out var again, out _) && again.Format() == url.Format(), "a join URL comes back the same");
        FuzzTarget.Require(url.Hosts.Count is >= 1 and <= JoinUrl.MaxHosts && url.Pins.Count <= JoinUrl.MaxPins, "the limits hold");
        FuzzTarget.Require(!url.ToString().Contains(url.Token.Format(), StringComparison.Ordinal), "a secret is not printed");
    }
}
