using System.Xml.Linq;
using Xunit;

namespace Bondline.Architecture.Tests;

/// <summary>A project exists where a reference must be impossible: these are the walls, and docs/architecture.md has their reasons.</summary>
public sealed class ProjectTests
{
    // What each project of the product may reference. Cli wires everything together.
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Bondline.Protocol"] = [],
        ["Bondline.Linux"] = [],
        ["Bondline.MacOS"] = [],
        ["Bondline.Windows"] = [],
        ["Bondline.Transport"] = ["Bondline.Protocol", "Bondline.Linux", "Bondline.MacOS", "Bondline.Windows"],
        ["Bondline.Agent"] = ["Bondline.Protocol", "Bondline.Transport"],
        ["Bondline.Relay"] = ["Bondline.Protocol", "Bondline.Transport"],
        ["Bondline.Lab"] = ["Bondline.Linux"],
        ["Bondline.Cli"] = ["Bondline.Protocol", "Bondline.Transport", "Bondline.Linux", "Bondline.Agent", "Bondline.Relay", "Bondline.Lab"],
    };

    public static TheoryData<string> ProductProjects => [.. Repository.Projects.Where(p => p.Value.StartsWith("src/", StringComparison.Ordinal)).Select(p => p.Key)];

    [Theory, MemberData(nameof(ProductProjects))]
    public void A_project_of_the_product_references_only_what_its_wall_lets_through(string project)
    {
        Assert.True(Allowed.TryGetValue(project, out var allowed), $"{project} has no entry in the table of allowed references: decide its walls first.");
        Assert.Empty(References(project, "ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r)).Except(allowed));
    }

    [Fact]
    public void No_project_of_the_product_references_a_test_project()
    {
        foreach (var (project, path) in Repository.Projects.Where(p => p.Value.StartsWith("src/", StringComparison.Ordinal)))
            foreach (var reference in References(project, "ProjectReference"))
            {
                var target = Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(path)!, reference));
                Assert.StartsWith(Path.Combine(Repository.Root, "src") + "/", target);
            }
    }

    [Fact]
    public void Protocol_has_no_package_but_analyzers()
    {
        var packages = from item in Load(Repository.Projects["Bondline.Protocol"]).Descendants("PackageReference")
                       where (string?)item.Attribute("PrivateAssets") != "all"
                       select (string?)item.Attribute("Include");
        Assert.Empty(packages);
        Assert.Empty(References("Bondline.Protocol", "FrameworkReference"));
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var listed = Load("Bondline.slnx").Descendants("Project").Select(p => (string)p.Attribute("Path")!);
        Assert.Equal(Repository.Projects.Values.Order(), listed.Order());
    }

    [Fact]
    public void Every_package_has_one_exact_version_and_a_reason()
    {
        var previous = default(XNode);
        foreach (var node in Load("Directory.Packages.props").Descendants("ItemGroup").Nodes())
        {
            if (node is XElement package && package.Name == "PackageVersion")
            {
                var name = (string?)package.Attribute("Include");
                var version = (string?)package.Attribute("Version") ?? "";
                Assert.True(Version.TryParse(version.Split('-')[0], out _), $"{name} has the version '{version}'; ranges and wildcards make builds differ.");
                Assert.True(previous is XComment { Value.Length: > 20 }, $"{name} has no comment before it that says why it is needed.");
            }
            previous = node;
        }
        foreach (var path in Repository.Projects.Values)
            Assert.DoesNotContain(Load(path).Descendants("PackageReference"), r => r.Attribute("Version") is not null || r.Attribute("VersionOverride") is not null);
    }

    private static IEnumerable<string> References(string project, string kind) =>
        Load(Repository.Projects[project]).Descendants(kind).Select(item => (string)item.Attribute("Include")!);

    private static XDocument Load(string path) => XDocument.Parse(Repository.Read(path));
}
