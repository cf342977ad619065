using Xunit;

namespace Bondline.Cli.Tests;

public sealed class RunArgumentsTests
{
    [Theory]
    [InlineData("run curl --json", "run -- curl --json")]
    [InlineData("run --quiet curl -s http://a --quiet", "run --quiet -- curl -s http://a --quiet")]
    [InlineData("run -- curl -- -s", "run -- curl -- -s")]
    [InlineData("run curl -- -s", "run -- curl -- -s")]
    [InlineData("--json run --argv0 name curl", "--json run --argv0 name -- curl")]
    [InlineData("--relay x run --argv0=name curl -v", "--relay x run --argv0=name -- curl -v")]
    [InlineData("run --unit web --undo", "run --unit web --undo")]
    [InlineData("run --help", "run --help")]
    [InlineData("run", "run")]
    [InlineData("run --argv0", "run --argv0")]
    [InlineData("http 3000 --name run", "http 3000 --name run")]
    [InlineData("help run", "help run")]
    [InlineData("", "")]
    public void Whatever_follows_the_program_is_its(string given, string expected) =>
        Assert.Equal(expected, string.Join(' ', RunArguments.Separate(given.Split(' ', StringSplitOptions.RemoveEmptyEntries))));

    [Theory]
    [InlineData("run")]
    [InlineData("run", "--undo")]
    [InlineData("run", "--unit", "web", "--", "curl")]
    [InlineData("run", "-q", "curl")]
    [InlineData("run", "--sigpipe", "maybe", "--", "curl")]
    public async Task A_mistake_starts_nothing(params string[] arguments)
    {
        await using var host = new TestHost();
        Assert.Equal(2, await host.RunAsync(arguments));
        Assert.Contains(" (usage). ", host.Error, StringComparison.Ordinal);
        Assert.Empty(host.Output);
    }

    [Fact]
    public async Task A_program_that_cannot_be_started_ends_as_in_a_shell()
    {
        await using var host = new TestHost();
        Assert.Equal(127, await host.RunAsync("run", "--", "no-such-program", "--json"));
        Assert.Equal("error: no-such-program cannot be run: there is no such program (program-not-found). More: bondline help program-not-found\n", host.Error);
        await using var other = new TestHost();
        Assert.Equal(126, await other.RunAsync("run", "/"));
        Assert.Contains("(program-not-runnable)", other.Error, StringComparison.Ordinal);
    }
}
