using System.Globalization;

namespace Bondline.Lab;

/// <summary>A lab driven by lines: <c>bondline lab up</c>.</summary>
public static class LabConsole
{
    public const string Help = """
        rate LINK MBITS [up|down]       delay LINK MS [up|down]        jitter LINK MS [up|down]
        loss LINK PERCENT [up|down]     queue LINK MS [up|down]        mtu LINK BYTES
        silence LINK [up|down]          heal LINK [up|down]            reset LINK
        carrier LINK up|down            address LINK remove|restore    counters
        """;

    /// <summary>Reads a link as the command line names it: NAME:MBITS:RTT-MS[:QUEUE-MS[:MTU]].</summary>
    /// <exception cref="LabException">It is written otherwise.</exception>
    public static LinkOptions ParseLink(string text)
    {
        var parts = text.Split(':');
        if (parts.Length is < 3 or > 5) throw new LabException($"\"{text}\" describes no link; write NAME:MBITS:RTT-MS[:QUEUE-MS[:MTU]].");
        var link = LinkOptions.Symmetric(parts[0], Number(parts[1]), Number(parts[2]), parts.Length > 3 ? Number(parts[3]) : 100);
        return parts.Length > 4 ? link with { Mtu = (int)Number(parts[4]) } : link;
    }

    /// <summary>Carries out lines until there are no more or <paramref name="stop"/> is set; each is answered with "ok", what was asked for, or "error: ...".</summary>
    public static async Task RunAsync(LabNetwork lab, TextReader input, TextWriter output, CancellationToken stop)
    {
        // The console's own ReadLineAsync blocks; a read left behind ends with the process.
        while (await Task.Run(input.ReadLine, CancellationToken.None).WaitAsync(stop) is { } line)
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is not { Length: > 0 } words) continue;
            try
            {
                await output.WriteLineAsync(await HandleAsync(lab, words));
            }
            catch (LabException e)
            {
                await output.WriteLineAsync($"error: {e.Message}");
            }
        }
    }

    private static async Task<string> HandleAsync(LabNetwork lab, string[] words)
    {
        if (words[0] == "help") return Help;
        if (words[0] == "counters") return await CountersAsync(lab);
        if (words.Length < 2) throw new LabException($"\"{words[0]}\" needs a link.");
        var link = lab[words[1]];
        switch (words[0])
        {
            case "rate": await Set(s => s with { RateBitsPerSecond = (long)(Value() * 1_000_000) }); break;
            case "delay": await Set(s => s with { Delay = TimeSpan.FromMilliseconds(Value()) }); break;
            case "jitter": await Set(s => s with { Jitter = TimeSpan.FromMilliseconds(Value()) }); break;
            case "loss": await Set(s => s with { Loss = Value() / 100 }); break;
            case "queue": await Set(s => s with { QueueLimit = TimeSpan.FromMilliseconds(Value()) }); break;
            case "mtu": await link.SetMtuAsync((int)Value()); break;
            case "silence": await link.SilenceAsync(Direction(2)); break;
            case "heal": await link.HealAsync(Direction(2)); break;
            case "reset": return $"ok {await link.ResetAsync()} connections";
            case "carrier" when Word(2) == "down": await link.CarrierDownAsync(); break;
            case "carrier" when Word(2) == "up": await link.CarrierUpAsync(); break;
            case "address" when Word(2) == "remove": await link.RemoveAddressAsync(); break;
            case "address" when Word(2) == "restore": await link.RestoreAddressAsync(); break;
            default: throw new LabException($"\"{string.Join(' ', words)}\" is no command; \"help\" lists them.");
        }
        return "ok";

        Task Set(Func<LinkSettings, LinkSettings> change) => link.SetAsync(Direction(3), change);

        double Value() => Number(Word(2) ?? throw new LabException($"\"{words[0]}\" needs a value."));

        string? Word(int index) => index < words.Length ? words[index] : null;

        LinkDirection Direction(int index) => Word(index) switch
        {
            null => LinkDirection.Both,
            "up" => LinkDirection.Up,
            "down" => LinkDirection.Down,
            var other => throw new LabException($"\"{other}\" is no direction; write up, down or nothing."),
        };
    }

    private static async Task<string> CountersAsync(LabNetwork lab)
    {
        var counters = await lab.CountersAsync();
        return string.Join('\n', lab.Links.Select((link, i) => $"{link.Name,-8} up {Show(counters[i].Up)}   down {Show(counters[i].Down)}"));

        static string Show(DirectionCounters c) =>
            $"{c.Packets} packets {c.Bytes} bytes, dropped {c.DroppedQueue} queue {c.DroppedLoss} loss {c.DroppedSilence} silence {c.DroppedOther} other, at most {c.MostLateMicroseconds} us late";
    }

    private static double Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) && value is >= 0 and <= 1_000_000
            ? value
            : throw new LabException($"\"{text}\" is no number between 0 and 1,000,000.");
}
