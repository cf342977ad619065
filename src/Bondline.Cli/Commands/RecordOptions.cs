using System.CommandLine;
using System.Globalization;
using Bondline.Transport;

namespace Bondline.Cli.Commands;

/// <summary>The options that write a bond record, of both ends.</summary>
internal sealed class RecordOptions
{
    private readonly Option<string?> _file = new("--record") { Description = "Write every input of the bond to FILE, without what the streams carry; \"bondline replay FILE\" explains it.", HelpName = "FILE" };

    private readonly Option<bool> _payload = new("--record-payload") { Description = "With --record: also what the streams carry, passwords included." };

    public void AddTo(Command command)
    {
        command.Add(_file);
        command.Add(_payload);
    }

    /// <returns>Null if nothing is to be recorded.</returns>
    /// <exception cref="CommandException">The options contradict each other.</exception>
    public RecordSettings? Read(ParseResult line)
    {
        if (line.GetValue(_file) is { } file) return new(file, line.GetValue(_payload));
        return line.GetValue(_payload) ? throw new CommandException("usage", "--record-payload without --record", "Name the file with --record FILE") : null;
    }
}

/// <summary>The values of <see cref="RecordOptions"/>.</summary>
internal sealed record RecordSettings(string File, bool HasPayload)
{
    /// <summary>Begins the record.</summary>
    /// <param name="ended">Told why if recording ends early.</param>
    /// <exception cref="CommandException">The file cannot be made.</exception>
    public BondRecordFile Open(Action<string> ended)
    {
        try
        {
            var version = typeof(RecordSettings).Assembly.GetName().Version;
            return BondRecordFile.Create(File, string.Create(CultureInfo.InvariantCulture, $"bondline {version?.ToString(3)}"), HasPayload, ended);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new CommandException("record-unusable", $"{File} cannot be made: {error.Message.TrimEnd('.')}", "Give --record a file in a folder of your own");
        }
    }
}
