using Bondline.Protocol;

namespace Bondline.Relay;

/// <summary>Ports TCP tunnels may have, both ends included; 0 alone stands for whatever port the system gives.</summary>
public readonly record struct PortRange(int First, int Last)
{
    public static PortRange Ephemeral => new(0, 0);

    public bool IsEphemeral => First == 0;

    public int Count => IsEphemeral ? 0 : Last - First + 1;

    public bool Contains(int port) => IsEphemeral ? port is > 0 and <= 65_535 : port >= First && port <= Last;

    /// <summary>Reads <c>7000-7999</c>, <c>7000</c> or <c>0</c>.</summary>
    public static bool TryParse(string? text, out PortRange range)
    {
        range = default;
        var ends = (text ?? "").Split('-');
        if (ends.Length is not (1 or 2) || !TryPort(ends[0], out var first) || !TryPort(ends[^1], out var last)) return false;
        if (first > last || (first == 0 && last != 0)) return false;
        range = new(first, last);
        return true;
    }

    public override string ToString() => IsEphemeral ? "0" : First == Last ? $"{First}" : $"{First}-{Last}";

    private static bool TryPort(string text, out int port) =>
        DecimalText.TryRead(text, out port) && port <= 65_535;
}
