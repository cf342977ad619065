using System.Diagnostics;
using Xunit;

namespace Bondline.Cli.Tests;

/// <summary><c>bondline run --unit</c> beside a systemctl that says what it is told to and writes down what it was asked.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ServiceUnitTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-unit-");

    public ServiceUnitTests()
    {
        Directory.CreateDirectory(InFolder("bin"));
        Directory.CreateDirectory(InFolder("units/web.service.d"));
        File.WriteAllText(InFolder("web.service"), "[Service]\nExecStart=/bin/echo a\n");
        File.WriteAllText(InFolder("units/web.service.d/override.conf"), "[Service]\nExecStart=\nExecStart=/bin/echo b\n");
        Systemctl($"LoadState=loaded\nFragmentPath={InFolder("web.service")}\nDropInPaths={InFolder("units/web.service.d/override.conf")} {DropIn}\nUser=web\n");
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_drop_in_is_written_and_removed_and_nothing_else()
    {
        var before = Files();
        var written = await RunAsync("--unit", "web");
        Assert.Equal(0, written.Code);
        var text = await File.ReadAllTextAsync(DropIn);
        Assert.Equal($"Wrote {DropIn}:\n{text}", written.Output);
        Assert.EndsWith("run --quiet -- /bin/echo b\n", text, StringComparison.Ordinal);
        Assert.Contains("sudo systemctl restart web.service", written.Error, StringComparison.Ordinal); // which it never does itself
        Assert.Equal(["show", "daemon-reload"], Calls());

        Assert.Equal(0, (await RunAsync("--unit", "web.service")).Code); // again: from the same command, not from its own
        Assert.Equal(text, await File.ReadAllTextAsync(DropIn));

        var removed = await RunAsync("--unit", "web", "--undo");
        Assert.Equal((0, $"Removed {DropIn}.\n"), (removed.Code, removed.Output));
        Assert.Equal(before, Files());
        Assert.Equal("daemon-reload", Calls()[^1]);
        Assert.Equal((0, $"There is nothing to undo: no {DropIn}.\n"), ((await RunAsync("--unit", "web", "--undo")) is var again ? (again.Code, again.Output) : default));
    }

    [Fact]
    public async Task A_folder_that_was_made_for_it_goes_with_it()
    {
        Directory.Delete(InFolder("units/web.service.d"), recursive: true);
        Systemctl($"LoadState=loaded\nFragmentPath={InFolder("web.service")}\nDropInPaths=\n");
        Assert.Equal(0, (await RunAsync("--unit", "web")).Code);
        Assert.True(File.Exists(DropIn));
        Assert.Equal(0, (await RunAsync("--unit", "web", "--undo")).Code);
        Assert.Empty(Directory.EnumerateFileSystemEntries(InFolder("units")));
    }

    [Fact]
    public async Task A_dry_run_changes_nothing()
    {
        var before = Files();
        var said = await RunAsync("--unit", "web", "--dry-run", "--json");
        Assert.Equal(0, said.Code);
        Assert.StartsWith($$"""{"event":"unit","unit":"web.service","file":"{{DropIn}}","action":"would-write","text":"# Written by""", said.Output, StringComparison.Ordinal);
        Assert.Equal(before, Files());
        Assert.Equal(["show"], Calls());
    }

    [Fact]
    public async Task What_is_not_ours_is_left_alone()
    {
        await File.WriteAllTextAsync(DropIn, "# mine\n");
        foreach (var option in (string[][])[[], ["--undo"]])
        {
            var refused = await RunAsync(["--unit", "web", .. option]);
            Assert.Equal(1, refused.Code);
            Assert.Contains($"{DropIn} is not bondline's (unit-unusable)", refused.Error, StringComparison.Ordinal);
        }
        Assert.Contains("(unit-unusable)", (await RunAsync("--unit", "web", "--dry-run")).Error, StringComparison.Ordinal);
        Assert.Equal("# mine\n", await File.ReadAllTextAsync(DropIn));
    }

    [Fact]
    public async Task Written_again_where_systemd_shows_what_it_changed_it_says_the_same()
    {
        var loaded = $"LoadState=loaded\nFragmentPath={InFolder("web.service")}\n";
        Systemctl($"{loaded}SystemCallFilter=read write\n");
        Assert.Equal(0, (await RunAsync("--unit", "web")).Code);
        var text = await File.ReadAllTextAsync(DropIn);
        Systemctl($"{loaded}DropInPaths={DropIn}\nSystemCallFilter=read seccomp write\n");
        Assert.Equal(0, (await RunAsync("--unit", "web")).Code);
        Assert.Equal(text, await File.ReadAllTextAsync(DropIn));
    }

    [Theory]
    [InlineData("LoadState=not-found", "web", "systemd has no usable web.service: it is not-found")]
    [InlineData("LoadState=masked", "web", "it is masked")]
    [InlineData("nonsense", "web", "it is unknown")]
    [InlineData("LoadState=loaded\nFragmentPath=/no/such/file", "web", "web.service cannot be read")]
    [InlineData("LoadState=loaded", "web", "starts no program")]
    [InlineData("", "web.socket", "web.socket runs no program")]
    public async Task What_is_no_service_is_refused(string shown, string unit, string message)
    {
        Systemctl(shown + "\n");
        var refused = await RunAsync("--unit", unit);
        Assert.Equal(1, refused.Code);
        Assert.Contains(message, refused.Error, StringComparison.Ordinal);
        Assert.Contains("(unit-unusable)", refused.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(DropIn));
    }

    [Fact]
    public async Task A_systemctl_that_fails_is_quoted()
    {
        File.WriteAllText(InFolder("bin/systemctl"), "#!/bin/sh\necho System has not been booted with systemd. >&2\nexit 1\n");
        var refused = await RunAsync("--unit", "web");
        Assert.Equal(1, refused.Code);
        Assert.StartsWith("error: \"systemctl show\" failed: System has not been booted with systemd (unit-unusable). ", refused.Error, StringComparison.Ordinal);
        File.Delete(InFolder("bin/systemctl"));
        Assert.Contains("\"systemctl show\" failed: there is no program systemctl (unit-unusable)", (await RunAsync("--unit", "web")).Error, StringComparison.Ordinal);
    }

    private string DropIn => InFolder($"units/web.service.d/{ServiceDropIn.FileName}");

    private string InFolder(string name) => Path.Combine(_folder.FullName, name);

    private string[] Files() => [.. Directory.EnumerateFileSystemEntries(InFolder("units"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    private string[] Calls() => [.. File.ReadAllLines(InFolder("calls")).Select(line => line.Split(' ')[0])];

    private void Systemctl(string shown)
    {
        File.WriteAllText(InFolder("shown"), shown);
        File.WriteAllText(InFolder("bin/systemctl"), $"#!/bin/sh\necho \"$*\" >>{InFolder("calls")}\nif [ \"$1\" = show ]; then while read -r line; do echo \"$line\"; done <{InFolder("shown")}; fi\n");
        File.SetUnixFileMode(InFolder("bin/systemctl"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "bondline"), ["run", .. arguments, "--unit-folder", InFolder("units")]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = InFolder("bin"); // nothing of this machine's systemd is asked or changed
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, error);
    }
}
