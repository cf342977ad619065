using System.Text;
using Xunit;

namespace Bondline.Linux.Tests.Processes;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ProgramFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-programs-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_name_is_looked_for_folder_by_folder()
    {
        Make("first/other", isRunnable: true);
        Make("second/tool", isRunnable: false);
        Make("third/tool", isRunnable: true);
        Assert.Equal((ProgramSearch.Found, InFolder("third/tool")), Find("tool", "first", "second", "third"));
        Assert.Equal(ProgramSearch.NotRunnable, Find("tool", "first", "second").Result);
        Assert.Equal(ProgramSearch.NotFound, Find("tool", "first").Result);
        Assert.Equal(ProgramSearch.NotFound, Find("", "third").Result);
        Assert.Equal(ProgramSearch.NotRunnable, Find("third", "").Result); // a folder
    }

    [Fact]
    public void A_path_is_taken_as_it_is()
    {
        Make("tool", isRunnable: true);
        Make("text", isRunnable: false);
        Assert.Equal((ProgramSearch.Found, InFolder("tool")), Find(InFolder("tool")));
        Assert.Equal(ProgramSearch.NotRunnable, Find(InFolder("text")).Result);
        Assert.Equal(ProgramSearch.NotFound, Find(InFolder("nothing")).Result);
        Assert.Equal(ProgramSearch.NotFound, Find(InFolder("tool/below")).Result);
    }

    [Fact]
    public void A_name_need_not_be_text()
    {
        byte[] name = [.. Encoding.UTF8.GetBytes(InFolder("x")), 0xFF];
        Assert.Equal(ProgramSearch.NotFound, ProgramFile.Find(name, null, out var path));
        Assert.Equal(name, path);
    }

    [Fact]
    public void Without_a_search_path_it_is_the_systems() => Assert.Equal(ProgramSearch.Found, ProgramFile.Find("sh"u8.ToArray(), null, out _));

    [Fact]
    public void Files_of_ones_own_give_no_rights()
    {
        Make("tool", isRunnable: true);
        Assert.False(ProgramFile.GivesRights(Encoding.UTF8.GetBytes(InFolder("tool"))));
        File.SetUnixFileMode(InFolder("tool"), UnixFileMode.SetUser | UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Assert.False(ProgramFile.GivesRights(Encoding.UTF8.GetBytes(InFolder("tool"))));
        Assert.False(ProgramFile.GivesRights(Encoding.UTF8.GetBytes(InFolder("nothing"))));
    }

    [Fact]
    public void A_command_line_is_split_at_zeros()
    {
        Assert.Equal([[97, 98], [], [0xFF]], OwnCommandLine.Split([97, 98, 0, 0, 0xFF, 0]));
        Assert.Empty(OwnCommandLine.Split([97]));
        Assert.Empty(OwnCommandLine.Split([]));
    }

    [Theory]
    [InlineData(0x0000, 0, 0, 0)]
    [InlineData(0x0300, 3, 0, 3)]
    [InlineData(0xFF00, 255, 0, 255)]
    [InlineData(0x000F, 0, 15, 143)]
    [InlineData(0x008B, 0, 11, 139)] // and dumped core
    public void An_end_is_read_where_the_kernel_puts_it(int status, int code, int signal, int exitCode)
    {
        var end = ProgramEnd.Read(status);
        Assert.Equal((code, signal, exitCode), (end.Code, end.Signal, end.ExitCode));
    }

    private (ProgramSearch Result, string Path) Find(string name, params string[] folders)
    {
        var result = ProgramFile.Find(Encoding.UTF8.GetBytes(name), string.Join(':', folders.Select(InFolder)), out var path);
        return (result, Encoding.UTF8.GetString(path));
    }

    private void Make(string name, bool isRunnable)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(InFolder(name))!);
        File.WriteAllText(InFolder(name), "#!/bin/sh\n");
        File.SetUnixFileMode(InFolder(name), UnixFileMode.UserRead | UnixFileMode.UserWrite | (isRunnable ? UnixFileMode.UserExecute : 0));
    }

    private string InFolder(string name) => Path.Combine(_folder.FullName, name);
}
