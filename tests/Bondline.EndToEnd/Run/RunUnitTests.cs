using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>The drop-in of <c>bondline run --unit</c> as systemd reads it, and what becomes of its command.</summary>
[Trait("Mode", "normal")]
public sealed class RunUnitTests(RunWorld world) : IClassFixture<RunWorld>
{
    private const string Unit = """
        [Unit]
        Description=A test
        [Service]
        Type=oneshot
        ExecStart=/bin/false
        ExecStart=
        ExecStart=@/usr/bin/curl "my name" --silent \
           # between
           'URL'
        ExecStart=-/bin/sh -c 'exit 3' ; /bin/true
        SystemCallFilter=@system-service
        """;

    [Fact]
    public async Task Systemd_takes_the_drop_in_and_its_command_works()
    {
        Directory.CreateDirectory(world.InFolder("bin"));
        Directory.CreateDirectory(world.InFolder("units"));
        await File.WriteAllTextAsync(world.InFolder("units/try.service"), Unit.Replace("URL", world.Url, StringComparison.Ordinal));
        await File.WriteAllTextAsync(world.InFolder("bin/systemctl"), $"#!/bin/sh\nprintf 'LoadState=loaded\\nFragmentPath={world.InFolder("units/try.service")}\\nDropInPaths=\\nSystemCallFilter=read write\\n'\n");
        await RunWorld.CheckedAsync(null, "chmod", "a+x", world.InFolder("bin/systemctl"));
        string[] asked = [$"PATH={world.InFolder("bin")}", world.Bondline, "run", "--unit", "try", "--unit-folder", world.InFolder("units")];
        await RunWorld.CheckedAsync(world.Inside, "env", asked);

        // systemd's own reader: it says what it does not understand, and which programs are not there.
        var verified = await LabProcess.RunAsync(null, "env", [$"SYSTEMD_UNIT_PATH={world.InFolder("units")}:", "systemd-analyze", "verify", "try.service"]);
        Assert.Equal((0, ""), (verified.ExitCode, verified.Error));

        // No systemd runs here, so a shell stands in for it: these words have the same quotes for both.
        var dropIn = await File.ReadAllLinesAsync(world.InFolder("units/try.service.d/zz-bondline-mptcp.conf"));
        var commands = dropIn.Where(line => line.StartsWith("ExecStart=", StringComparison.Ordinal) && line.Length > 10).Select(line => line[10..]).ToArray();
        Assert.Equal(3, commands.Length);
        Assert.Equal("over MPTCP\n", (await LabProcess.RunAsync(world.Inside, "sh", ["-c", commands[0]])).Output);
        Assert.Equal(3, (await LabProcess.RunAsync(world.Inside, "sh", ["-c", commands[1].TrimStart('-')])).ExitCode);

        await RunWorld.CheckedAsync(world.Inside, "env", [.. asked, "--undo"]);
        Assert.False(Directory.Exists(world.InFolder("units/try.service.d")));
    }

    [Fact]
    public async Task Without_the_right_nothing_is_written()
    {
        Directory.CreateDirectory(world.InFolder("locked"));
        Directory.CreateDirectory(world.InFolder("tools"));
        await File.WriteAllTextAsync(world.InFolder("tools/systemctl"), $"#!/bin/sh\nprintf 'LoadState=loaded\\nFragmentPath={world.InFolder("locked.service")}\\nDropInPaths=\\n'\n");
        await File.WriteAllTextAsync(world.InFolder("locked.service"), "[Service]\nExecStart=/bin/true\n");
        await RunWorld.CheckedAsync(null, "chmod", "a+rx", world.InFolder("tools"), world.InFolder("tools/systemctl"), world.InFolder("locked.service"), world.InFolder("locked"));
        string[] asked = [.. RunWorld.AsNobody, "env", $"PATH={world.InFolder("tools")}", world.Bondline, "run", "--unit", "locked", "--unit-folder", world.InFolder("locked")];
        var refused = await LabProcess.RunAsync(world.Inside, "setpriv", asked);
        Assert.Equal((1, ""), (refused.ExitCode, refused.Output));
        Assert.Contains("(right-missing). Run it with sudo", refused.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await LabProcess.RunAsync(world.Inside, "setpriv", [.. asked, "--dry-run"])).ExitCode);
        Assert.Empty(Directory.EnumerateFileSystemEntries(world.InFolder("locked")));
    }
}
