using System.ComponentModel;
using System.Diagnostics;

namespace Bondline.Cli.Multipath;

/// <summary>Runs a program of this machine to its end and keeps what it says.</summary>
/// <param name="path">Where to look for it, as $PATH is written; null: nowhere.</param>
internal sealed class ToolRunner(string? path)
{
    private const int NoSuchProgram = 127; // as shells say it

    // Stopping and starting a service may take systemd a while; more is a program that waits for somebody.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public ProcessAnswer Run(string program, params IEnumerable<string> arguments)
    {
        if (Find(program) is not { } file) return new(NoSuchProgram, "", $"there is no program {program}");
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C"; // what it says is read by this program
        start.Environment["SYSTEMD_COLORS"] = "0";
        try
        {
            using var process = Process.Start(start)!;
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync();
            var error = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(Patience))
            {
                process.Kill(entireProcessTree: true);
                return new(NoSuchProgram, "", $"{program} did not end within {Patience.TotalSeconds:0} s");
            }

            return new(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
        }
        catch (Win32Exception refused)
        {
            return new(NoSuchProgram, "", $"{program} cannot be run: {refused.Message}");
        }
    }

    private string? Find(string program) =>
        (path ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Where(Path.IsPathRooted).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}
