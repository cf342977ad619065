using System.Text;
using Bondline.Agent;

namespace Bondline.Fuzz;

/// <summary>The agent's files as a crash, another program or a curious user may have left them.</summary>
internal static class SettingsTarget
{
    private static readonly AgentSettings Settings = new(Directory.CreateTempSubdirectory("bondline-fuzz-").FullName);
    private static readonly TrafficFile Traffic = new(Settings, "wlan0");

    static SettingsTarget() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Settings.Folder, recursive: true);

    public static void Run(ReadOnlySpan<byte> input)
    {
        File.WriteAllBytes(Traffic.File, input);
        var record = Traffic.Read();
        FuzzTarget.Require(Traffic.WasCorrupt == record is null, "a file is used or called corrupt");
        FuzzTarget.Require(record is null or { DayBytes: >= 0, MonthBytes: >= 0 }, "what was carried is no debt");
        if (record is not null)
        {
            Traffic.TryAdd(1, record.Day);
            FuzzTarget.Require(Traffic.Read() is not null, "what was written can be read");
        }

        File.WriteAllBytes(Path.Combine(Settings.Folder, "login"), input);
        try
        {
            if (Settings.ReadLogin() is { } login) JoinUrl.TryParse(login, out _, out _);
        }
        catch (IOException)
        {
            FuzzTarget.Require(Encoding.UTF8.GetString(input).Trim().Length == 0, "a login that says something is read");
        }
    }
}
