using System.Text.RegularExpressions;
using Xunit;

namespace Bondline.Architecture.Tests;

/// <summary>Rules about the text of files that no analyzer checks.</summary>
public sealed partial class SourceTests
{
    // A test that waits for time to pass is slow and fails by chance; a time limit on waiting for an event is neither.
    // These wait for time itself: path and reason.
    private static readonly Dictionary<string, string> MayWait = [];

    [Fact]
    public void Namespaces_match_their_projects()
    {
        foreach (var (project, path) in Repository.Projects)
            foreach (var (file, text) in Sources(Path.GetDirectoryName(path)!))
                if (NamespaceDeclaration().Match(text) is { Success: true } declaration)
                    Assert.True(
                        declaration.Groups[1].Value == project || declaration.Groups[1].Value.StartsWith(project + '.', StringComparison.Ordinal),
                        $"{file} declares {declaration.Groups[1].Value}; it lies in {project}.");
    }

    [Fact]
    public void Ids_of_log_messages_are_unique()
    {
        var ids = from source in Sources("src")
                  from Match match in LogMessageId().Matches(source.Text)
                  select (Id: int.Parse(match.Groups[1].ValueSpan), source.File);
        AssertNone(from use in ids group use.File by use.Id into same where same.Count() > 1 select $"{same.Key}: {string.Join(", ", same)}");
    }

    [Fact]
    public void Log_messages_carry_an_explicit_id()
    {
        var without = from source in Sources("src")
                      from Match match in LogMessage().Matches(source.Text)
                      where !LogMessageId().IsMatch(match.Value)
                      select $"{source.File}: {match.Value}";
        AssertNone(without);
    }

    [Fact]
    public void No_test_is_skipped() => AssertNone(Offenders(TestFolder, Skip()));

    [Fact]
    public void No_test_sleeps() => AssertNone(Offenders(TestFolder, Sleep()).Where(offender => !MayWait.ContainsKey(offender.File)));

    [Fact]
    public void Files_allowed_to_wait_still_do() =>
        AssertNone(MayWait.Keys.Except(Offenders(TestFolder, Sleep()).Select(offender => offender.File)));

    [Fact]
    public void Nothing_returns_async_void() => AssertNone(Offenders(".", AsyncVoid()));

    [Fact]
    public void A_todo_carries_the_number_of_its_issue() => AssertNone(Offenders(".", BareTodo()));

    [Fact]
    public void No_file_knows_the_machine_it_was_written_on()
    {
        // Written in two parts, or this file would be the first to be found.
        string[] places = ["/wo" + "rk/", ".." + "/shared", "/ro" + "ot/"];
        string[] text = [".cs", ".csproj", ".props", ".md", ".sh", ".json", ".slnx", ".txt", ".ts", ".tsx", ".html", ".css", "/run", "/bondline", "/test"];
        var found = from file in Repository.Files()
                    where Path.GetExtension(file) == "" || text.Contains(Path.GetExtension(file))
                    let content = Repository.Read(file)
                    from place in places
                    where content.Contains(place, StringComparison.Ordinal)
                    select $"{file}: {place}";
        AssertNone(found);
    }

    // The names of all offenders, in full: xunit would cut them short.
    private static void AssertNone<T>(IEnumerable<T> offenders) => Assert.True(!offenders.Any(), string.Join('\n', offenders));

    private static string TestFolder { get; } = Path.GetDirectoryName(Path.GetDirectoryName(Repository.Projects["Bondline.Architecture.Tests"]))!;

    private static IEnumerable<(string File, string Text)> Sources(string folder) =>
        from file in Repository.Files(".cs")
        where folder == "." || file.StartsWith(folder + '/', StringComparison.Ordinal)
        select (file, Repository.Read(file));

    // This project names what it looks for.
    private static IEnumerable<(string File, string Line)> Offenders(string folder, Regex forbidden) =>
        from source in Sources(folder)
        where !source.File.Contains("Bondline.Architecture.Tests", StringComparison.Ordinal)
        from line in source.Text.Split('\n')
        where forbidden.IsMatch(line)
        select (source.File, line.Trim());

    [GeneratedRegex(@"^namespace ([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex NamespaceDeclaration();

    [GeneratedRegex(@"\[LoggerMessage\((?:\s*EventId\s*=)?\s*(\d+)")]
    private static partial Regex LogMessageId();

    [GeneratedRegex(@"\[LoggerMessage\([^\r\n]*")]
    private static partial Regex LogMessage();

    [GeneratedRegex(@"\bSkip(Unless|When|Type)?\s*=\s*(""|nameof|typeof)|Assert\.Skip")]
    private static partial Regex Skip();

    [GeneratedRegex(@"\bThread\.Sleep\(|\bawait Task\.Delay\(")]
    private static partial Regex Sleep();

    [GeneratedRegex(@"\basync void\b")]
    private static partial Regex AsyncVoid();

    [GeneratedRegex(@"\b(TODO|FIXME|HACK|XXX)\b(?!\(#\d+\))")]
    private static partial Regex BareTodo();
}
