using Xunit;

namespace Bondline.Cli.Tests;

public sealed class ServiceDropInTests
{
    [Fact]
    public void The_command_runs_behind_bondline() => Assert.Equal(
        """
        # Written by bondline run --unit web.service; bondline run --unit web.service --undo removes it.
        [Service]
        SyslogIdentifier=web
        ExecStart=
        ExecStart=/usr/bin/bondline run --quiet -- /usr/sbin/web --port ${PORT} %i "a b"

        """,
        Create("/usr/sbin/web --port ${PORT} %i \"a b\"").Text);

    [Theory]
    [InlineData("-/bin/a b", "-/usr/bin/bondline run --quiet -- /bin/a b")]
    [InlineData(":/bin/a $b", ":/usr/bin/bondline run --quiet -- /bin/a $b")]
    [InlineData("-!!/bin/a", "-!!/usr/bin/bondline run --quiet -- /bin/a")]
    [InlineData("+/bin/a", "+/usr/bin/bondline run --quiet -- /bin/a")]
    [InlineData("@/bin/a -name b", "/usr/bin/bondline run --quiet --argv0=-name -- /bin/a b")]
    [InlineData("-@/bin/a 'two words' b", "-/usr/bin/bondline run --quiet '--argv0=two words' -- /bin/a b")]
    [InlineData("\"/bin/with space\" b", "/usr/bin/bondline run --quiet -- \"/bin/with space\" b")]
    [InlineData("-\"/bin/with space\" b", "-/usr/bin/bondline run --quiet -- \"/bin/with space\" b")]
    [InlineData("name-from-the-path b", "/usr/bin/bondline run --quiet -- name-from-the-path b")]
    public void Its_prefixes_stay_in_front(string command, string expected) => Assert.Equal(expected, Commands(Create(command)).Single());

    [Fact]
    public void Each_of_several_commands_does_and_none_that_was_taken_back() =>
        Assert.Equal(
            ["/usr/bin/bondline run --quiet -- /bin/b", "/usr/bin/bondline run --quiet -- /bin/c d", "/usr/bin/bondline run --quiet -- /bin/e"],
            Commands(ServiceDropIn.Create("web.service", ["[Service]\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b ; /bin/c d", "[Service]\nExecStart=/bin/e"], new Dictionary<string, string>(), "/usr/bin/bondline")));

    [Theory]
    [InlineData("read write", true)]
    [InlineData("read seccomp write", false)]
    [InlineData("read seccomp:EPERM", false)]
    [InlineData("~ptrace mount", false)]
    [InlineData("~ptrace seccomp", true)]
    [InlineData("", false)]
    public void A_filter_of_calls_lets_seccomp_pass(string filter, bool isAdded) =>
        Assert.Equal(isAdded, Create("/bin/a", ("SystemCallFilter", filter)).Text.Contains("\nSystemCallFilter=seccomp\n", StringComparison.Ordinal));

    [Fact]
    public void A_filter_that_it_has_loosened_already_stays_so()
    {
        var first = Create("/bin/a", ("SystemCallFilter", "read write")).Text;
        var again = ServiceDropIn.Create("web.service", ["[Service]\nExecStart=/bin/a\n"], new Dictionary<string, string> { ["SystemCallFilter"] = "read seccomp write" }, "/usr/bin/bondline", first);
        Assert.Equal(first, again.Text);
    }

    [Theory]
    [InlineData("ExecStart=/usr/sbin/web a", "web")]
    [InlineData("ExecStart=-@/usr/sbin/web name a", "web")]
    [InlineData("ExecStart=\"/usr/sbin/web\"", "web")]
    [InlineData("ExecStart=web", "web")]
    [InlineData("ExecStart=/opt/%p/run-%i", "run-%i")]
    [InlineData("ExecStart=/bin/a b\nExecStart=/usr/bin/a c", "a")]
    [InlineData("SyslogIdentifier=own\nSyslogIdentifier=\nExecStart=/bin/a", "a")]
    [InlineData("SyslogIdentifier=own\nExecStart=/bin/a", null)] // systemd has it from there
    public void In_the_journal_it_has_the_name_that_it_had(string settings, string? name)
    {
        var dropIn = ServiceDropIn.Create("web.service", [$"[Service]\n{settings}\n"], new Dictionary<string, string>(), "/usr/bin/bondline");
        Assert.Equal(name, UnitFile.Values(dropIn.Text, "Service", "SyslogIdentifier").SingleOrDefault());
        Assert.Empty(dropIn.Notes);
    }

    [Theory]
    [InlineData("ExecStart=/bin/a\nExecStart=/bin/b")]
    [InlineData("ExecStart=\"/bin/with space\"")]
    [InlineData("ExecStart=/bin/")]
    public void Where_the_journal_cannot_have_that_name_it_is_noted(string settings)
    {
        var dropIn = ServiceDropIn.Create("web.service", [$"[Service]\n{settings}\n"], new Dictionary<string, string>(), "/usr/bin/bondline");
        Assert.Empty(UnitFile.Values(dropIn.Text, "Service", "SyslogIdentifier"));
        Assert.Contains("in the journal are bondline's", Assert.Single(dropIn.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void SIGPIPE_stays_as_the_service_has_it()
    {
        Assert.DoesNotContain("--sigpipe", Create("/bin/a", ("IgnoreSIGPIPE", "yes")).Text, StringComparison.Ordinal); // bondline's own default in a service
        Assert.Contains(" --sigpipe default ", Create("/bin/a", ("IgnoreSIGPIPE", "no")).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/bin/a", "RootDirectory", "/srv/jail", "runs inside /srv/jail")]
    [InlineData("/bin/a", "RootImage", "/srv/jail.raw", "runs inside /srv/jail.raw")]
    [InlineData("|echo $HOME && true", "", "", "cannot be put behind another one")]
    [InlineData("@/bin/a", "", "", "has no name behind its file")]
    [InlineData("-", "", "", "cannot be put behind another one")]
    [InlineData("-;", "", "", "cannot be put behind another one")]
    [InlineData("", "", "", "starts no program")]
    public void What_cannot_be_done_is_said(string command, string property, string value, string message)
    {
        var error = Assert.Throws<CommandException>(() => Create(command, (property, value)));
        Assert.Equal("unit-unusable", error.Code);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/home/me/bondline", "ProtectHome", "yes")]
    [InlineData("/home/me/bondline", "ProtectHome", "tmpfs")]
    [InlineData("/tmp/bondline", "PrivateTmp", "yes")]
    public void A_bondline_that_the_service_cannot_see_is_refused(string program, string property, string value) =>
        Assert.Contains("/usr/local/bin", Assert.Throws<CommandException>(
            () => ServiceDropIn.Create("web.service", ["[Service]\nExecStart=/bin/a"], new Dictionary<string, string> { [property] = value }, program)).Next, StringComparison.Ordinal);

    [Fact]
    public void What_matters_to_whoever_runs_the_service_is_noted()
    {
        Assert.DoesNotContain(Create("/bin/a").Notes, note => note.Contains("NoNewPrivileges", StringComparison.Ordinal));
        Assert.Contains(Create("/bin/a", ("User", "web")).Notes, note => note.Contains("NoNewPrivileges", StringComparison.Ordinal));
        Assert.DoesNotContain(Create("/bin/a", ("User", "web"), ("NoNewPrivileges", "yes")).Notes, note => note.Contains("NoNewPrivileges", StringComparison.Ordinal));
        Assert.Contains(Create("/bin/a", ("RestrictAddressFamilies", "AF_UNIX")).Notes, note => note.Contains("nothing changes", StringComparison.Ordinal));
        Assert.DoesNotContain(Create("/bin/a", ("RestrictAddressFamilies", "AF_UNIX AF_INET6")).Notes, note => note.Contains("nothing changes", StringComparison.Ordinal));
        Assert.Contains(Create("/bin/a", ("Type", "forking")).Notes, note => note.Contains("PIDFile=", StringComparison.Ordinal));
    }

    private static ServiceDropIn Create(string command, params (string Name, string Value)[] properties) =>
        ServiceDropIn.Create("web.service", [$"[Service]\nExecStart={command}\n"], properties.ToDictionary(property => property.Name, property => property.Value), "/usr/bin/bondline");

    private static IEnumerable<string> Commands(ServiceDropIn dropIn) => UnitFile.Values(dropIn.Text, "Service", "ExecStart").Where(value => value.Length > 0);
}
