using System.Globalization;
using Bondline.Transport;
using Xunit;

namespace Bondline.Cli.Tests;

public sealed class ErrorTests
{
    [Fact]
    public void Every_code_has_a_page_and_every_page_a_code() => Assert.Equal(ErrorTable.All.Order(StringComparer.Ordinal), ErrorPages.Topics);

    [Fact]
    public void A_page_begins_with_its_code_and_says_what_to_do()
    {
        foreach (var code in ErrorTable.All)
        {
            var page = ErrorPages.Find(code);
            Assert.StartsWith($"# {code}: ", page, StringComparison.Ordinal);
            Assert.Contains("**What to do.** ", page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_table_in_the_docs_is_the_table_of_the_program()
    {
        var documented = new Dictionary<string, int>();
        var exits = new HashSet<int>();
        foreach (var row in ErrorPages.Find("exit-codes")!.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)))
        {
            var cells = row.Split('|', StringSplitOptions.TrimEntries);
            if (!int.TryParse(cells[1], CultureInfo.InvariantCulture, out var exit)) continue;
            exits.Add(exit);
            foreach (var code in cells[3].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)) documented.Add(code.Trim('`'), exit);
        }
        Assert.Equal(ErrorTable.All.ToDictionary(code => code, code => (int)ErrorTable.ExitCodeOf(code)), documented);
        Assert.Equal(Enum.GetValues<ExitCode>().Select(exit => (int)exit).ToHashSet(), exits);
    }

    [Fact]
    public async Task A_mistake_is_one_line_on_standard_error_that_says_what_to_do()
    {
        await using var host = new TestHost();
        Assert.Equal(2, await host.RunAsync("http", "nonsense"));
        Assert.Equal("error: \"nonsense\" is no target (usage). Give PORT, HOST:PORT, http://, https:// or h2c://HOST:PORT, unix:PATH or a folder that exists; more: bondline help usage\n", host.Error);
        Assert.Empty(host.Output);
    }

    [Fact]
    public async Task With_json_a_mistake_is_one_object_on_standard_output()
    {
        await using var host = new TestHost();
        Assert.Equal(2, await host.RunAsync("tcp", "22", "--json", "--paths", "eth0", "--carrier", "mptcp"));
        Assert.Equal(
            """{"event":"error","code":"usage","message":"with --carrier mptcp the kernel chooses among the networks, so --paths and --mode have no effect. Leave them out, or use --carrier bond."}""" + "\n",
            host.Output);
        Assert.Empty(host.Error);
    }

    [Fact]
    public async Task A_typo_gets_a_suggestion()
    {
        await using var host = new TestHost();
        Assert.Equal(2, await host.RunAsync("htpp", "3000"));
        Assert.Contains("Did you mean one of the following? http", host.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("usage", "http")]
    [InlineData("usage", "http", "0")]
    [InlineData("usage", "http", "3000", "3000")]
    [InlineData("usage", "http", "3000", "4000", "--name", "shop")]
    [InlineData("usage", "http", "http://127.0.0.1:3000/path")]
    [InlineData("usage", "http", "./no-such-folder")]
    [InlineData("usage", "http", "3000", "--host-header", "a b")]
    [InlineData("usage", "tcp", "22", "23", "--remote-port", "7000")]
    [InlineData("usage", "tcp", "22", "--remote-port", "70000")]
    [InlineData("usage", "tcp", "22", "--remote-port", "many")]
    [InlineData("usage", "tcp", "22", "--mode", "fastest")]
    [InlineData("usage", "tcp", "22", "--carrier", "pigeon")]
    [InlineData("usage", "tcp", "22", "--paths", "eth0:fast")]
    [InlineData("usage", "tcp", "22", "--paths", "eth0,")]
    [InlineData("usage", "tcp", "22", "--paths", "eth0,eth0:backup")]
    [InlineData("usage", "tcp", "22", "--no-such-option")]
    [InlineData("usage", "help", "no-such-topic")]
    [InlineData("join-url-invalid", "tcp", "22", "--relay", "https://relay.example")]
    [InlineData("join-url-invalid", "tcp", "22", "--relay", "@/no/such/file")]
    [InlineData("join-url-invalid", "login", "bondline://")]
    [InlineData("join-url-invalid", "login", "-")]
    public async Task Each_mistake_ends_with_its_code(string code, params string[] arguments)
    {
        await using var host = new TestHost();
        Assert.Equal((int)ErrorTable.ExitCodeOf(code), await host.RunAsync(arguments));
        Assert.Contains($" ({code}). ", host.Error, StringComparison.Ordinal);
        Assert.Empty(host.Output);
    }

    [Fact]
    public void A_system_that_cannot_is_refused_with_the_reason_and_a_way_out()
    {
        SystemCheck.Require(HostSystem.Linux, isRelay: true);
        SystemCheck.Require(HostSystem.MacOS, isRelay: false);
        var freeBsd = Assert.Throws<CommandException>(() => SystemCheck.Require(HostSystem.FreeBsd, isRelay: false));
        Assert.Equal("not-available", freeBsd.Code);
        Assert.Contains("cannot bind a connection to an interface", freeBsd.Message, StringComparison.Ordinal);
        var relay = Assert.Throws<CommandException>(() => SystemCheck.Require(HostSystem.MacOS, isRelay: true));
        Assert.Contains("TLS 1.3", relay.Message, StringComparison.Ordinal);
        Assert.Contains("bondline login", relay.Next, StringComparison.Ordinal);
    }
}
