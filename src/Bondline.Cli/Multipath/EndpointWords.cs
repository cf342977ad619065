using System.Globalization;
using System.Net;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>What stands behind <c>endpoint add</c>, <c>change</c> and <c>delete</c>, in the words of <c>ip mptcp</c>: an address, and <c>id 3 dev eth0 subflow backup</c>.</summary>
/// <param name="Address">IPv4 or IPv6; null if none is named.</param>
/// <param name="Id">0 to 255; null if none is named.</param>
/// <param name="Device">The name of an interface.</param>
/// <param name="Port">1 to 65535.</param>
/// <param name="Set">Flags to have.</param>
/// <param name="Clear">Flags not to have: <c>nobackup</c>, <c>nofullmesh</c>.</param>
internal sealed record EndpointWords(IPAddress? Address, int? Id, string? Device, int? Port, MultipathEndpointFlags Set, MultipathEndpointFlags Clear)
{
    private static readonly (string Word, MultipathEndpointFlags Flag)[] Flags =
    [
        ("signal", MultipathEndpointFlags.Signal),
        ("subflow", MultipathEndpointFlags.Subflow),
        ("backup", MultipathEndpointFlags.Backup),
        ("fullmesh", MultipathEndpointFlags.FullMesh),
        ("implicit", MultipathEndpointFlags.Implicit),
        ("laminar", MultipathEndpointFlags.Laminar),
    ];

    private const MultipathEndpointFlags Settable =
        MultipathEndpointFlags.Signal | MultipathEndpointFlags.Subflow | MultipathEndpointFlags.Backup | MultipathEndpointFlags.FullMesh | MultipathEndpointFlags.Laminar;

    /// <summary>The words of flags, in the order <c>ip mptcp</c> prints them; a number for those that came after this program.</summary>
    public static IReadOnlyList<string> NamesOf(MultipathEndpointFlags flags)
    {
        var rest = flags & ~Flags.Aggregate(MultipathEndpointFlags.None, (all, one) => all | one.Flag);
        var names = Flags.Where(one => flags.HasFlag(one.Flag)).Select(one => one.Word);
        return [.. rest == 0 ? names : names.Append($"0x{(int)rest:x}")];
    }

    /// <exception cref="CommandException">A word means nothing here, or lacks its value.</exception>
    public static EndpointWords Parse(IReadOnlyList<string> words)
    {
        var read = new EndpointWords(null, null, null, null, MultipathEndpointFlags.None, MultipathEndpointFlags.None);
        for (var i = 0; i < words.Count; i++)
        {
            var word = words[i];
            switch (word)
            {
                case "id":
                    read = read with { Id = Number(word, Value(), 0, 255) };
                    break;
                case "port":
                    read = read with { Port = Number(word, Value(), 1, 65535) };
                    break;
                case "dev":
                    read = read with { Device = Value() };
                    break;
                case "nobackup":
                    read = read with { Clear = read.Clear | MultipathEndpointFlags.Backup };
                    break;
                case "nofullmesh":
                    read = read with { Clear = read.Clear | MultipathEndpointFlags.FullMesh };
                    break;
                default:
                    read = Flag(word) is { } flag ? read with { Set = read.Set | flag }
                        : read.Address is null && AddressOf(word) is { } address ? read with { Address = address }
                        : throw new CommandException("usage", $"\"{word}\" is {(read.Address is null ? "no address, and " : "")}no word for an endpoint", Hint);
                    break;
            }

            string Value() => ++i < words.Count ? words[i] : throw new CommandException("usage", $"a value is missing behind \"{word}\"", Hint);
        }

        if ((read.Set & read.Clear) != 0) throw new CommandException("usage", "a flag and its opposite cannot both hold", Hint);
        return read;
    }

    private const string Hint = "Give ADDRESS, id NUMBER, dev NAME, port NUMBER, subflow, signal, backup, fullmesh or laminar";

    private static MultipathEndpointFlags? Flag(string word) =>
        Flags.FirstOrDefault(one => one.Word == word) is { Word: not null, Flag: var flag } && (flag & Settable) != 0 ? flag : null;

    private static IPAddress? AddressOf(string word)
    {
        // "10.1" and "0x7f.1" are addresses to .NET, and to nobody else who reads the line.
        if (!IPAddress.TryParse(word, out var address) || !word.Contains(':', StringComparison.Ordinal) && word.Split('.') is not { Length: 4 }) return null;
        if (address.IsIPv4MappedToIPv6) return address.MapToIPv4();
        return new(address.GetAddressBytes()); // without a zone: the interface stands behind dev
    }

    private static int Number(string word, string text, int least, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new CommandException("usage", $"\"{text}\" is no {word}: it must be {least} to {most}");
}
