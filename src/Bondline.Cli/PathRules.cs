using Bondline.Protocol;

namespace Bondline.Cli;

/// <summary>The value of <c>--paths</c>.</summary>
/// <param name="Rules">One per named interface.</param>
/// <param name="AreExclusive">Use the named ones and no other; not so if they only say which to leave out.</param>
internal sealed record PathRules(IReadOnlyList<PathRule> Rules, bool AreExclusive)
{
    /// <summary>The kernel's limit for interface names.</summary>
    private const int MaxNameLength = 15;

    /// <exception cref="CommandException">A name is empty, too long or given twice, or a policy is unknown.</exception>
    public static PathRules Parse(string? text)
    {
        if (text is null) return new([], false);
        var rules = new List<PathRule>();
        foreach (var entry in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var colon = entry.LastIndexOf(':');
            var name = colon < 0 ? entry : entry[..colon];
            if (name.Length is 0 or > MaxNameLength || name.Any(c => char.IsWhiteSpace(c) || c == '/'))
                throw Wrong(text, $"\"{name}\" is no name of an interface", "Write names as \"ip link\" shows them, as in --paths eth0,wlan0:backup");
            if (rules.Any(rule => rule.Interface == name)) throw Wrong(text, $"{name} is named twice", "Name each interface once");
            rules.Add(new(name, colon < 0 ? SubflowPolicy.Normal : Policy(text, entry[(colon + 1)..])));
        }
        return new(rules, rules.Any(rule => rule.Policy != SubflowPolicy.Off));
    }

    private static SubflowPolicy Policy(string text, string policy) => policy switch
    {
        "normal" => SubflowPolicy.Normal,
        "prefer" => SubflowPolicy.Prefer,
        "backup" => SubflowPolicy.Backup,
        "metered" => SubflowPolicy.Metered,
        "off" => SubflowPolicy.Off,
        _ => throw Wrong(text, $"\"{policy}\" is no policy", "Use prefer, normal, backup, metered or off"),
    };

    private static CommandException Wrong(string text, string why, string next) => new("usage", $"--paths {text}: {why}", next);
}
