using System.CommandLine;
using System.Text.RegularExpressions;
using Bondline.Cli.Commands;
using Xunit;

namespace Bondline.Cli.Tests;

public sealed partial class HelpTests
{
    [Fact]
    public async Task Every_example_of_the_help_can_be_run()
    {
        await using var host = new TestHost();
        var root = CommandLine.Parse([], host.Host).RootCommandResult.Command;
        foreach (var command in All(root))
        {
            foreach (var example in Examples.Of(command))
            {
                var words = Gap().Split(example)[0].Split(' ');
                if (words[0] == "sudo") words = words[1..];
                Assert.Equal("bondline", words[0]);
                Assert.Empty(CommandLine.Parse(words[1..], host.Host).Errors);
            }
        }
    }

    [Fact]
    public async Task Help_on_a_command_is_its_own_help_with_examples()
    {
        await using var asked = new TestHost();
        await using var option = new TestHost();
        Assert.Equal(0, await asked.RunAsync("help", "http"));
        Assert.Equal(0, await option.RunAsync("http", "--help"));
        Assert.Equal(option.Output, asked.Output);
        Assert.Contains("bondline http 3000 --name shop", asked.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run", false)]
    [InlineData("mptcp", false)]
    [InlineData("mptcp endpoint add", false)]
    [InlineData("http", true)]
    [InlineData("relay", true)]
    public async Task Statistics_are_offered_only_where_there_are_some(string command, bool has)
    {
        await using var host = new TestHost();
        Assert.Equal(0, await host.RunAsync([.. command.Split(' '), "--help"]));
        Assert.Equal(has, host.Output.Contains("--stats", StringComparison.Ordinal));
        Assert.Contains("--json", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_without_a_topic_names_every_error_code()
    {
        await using var host = new TestHost();
        Assert.Equal(0, await host.RunAsync("help"));
        Assert.All(ErrorTable.All, code => Assert.Contains($"  {code}\n", host.Output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Help_on_an_error_code_is_its_page()
    {
        await using var host = new TestHost();
        Assert.Equal(0, await host.RunAsync("help", "auth-expired"));
        Assert.Equal(ErrorPages.Find("auth-expired"), host.Output);
    }

    private static IEnumerable<Command> All(Command command) => [command, .. command.Subcommands.SelectMany(All)];

    [GeneratedRegex("  +")]
    private static partial Regex Gap();
}
