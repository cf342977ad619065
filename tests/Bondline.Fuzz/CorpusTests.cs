using Xunit;

namespace Bondline.Fuzz;

/// <summary>What fuzzing once looked at stays right, without a fuzzer.</summary>
public sealed class CorpusTests
{
    public static TheoryData<string> Targets => [.. FuzzTarget.All.Select(target => target.Name)];

    [Theory, MemberData(nameof(Targets))]
    public void No_input_of_the_corpus_is_a_finding(string name)
    {
        var target = FuzzTarget.Find(name)!;
        var files = Corpus.Files(name);
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            var input = File.ReadAllBytes(file);
            var finding = Record.Exception(() => target.Run(input));
            Assert.True(finding is null, $"{file}: {finding}");
        }
    }

    /// <summary>An input that stops anywhere, and one with any bit of it turned, is refused as clearly.</summary>
    [Theory, MemberData(nameof(Targets))]
    public void No_damaged_input_of_the_corpus_is_a_finding(string name)
    {
        const int inputs = 2000, engineInputs = 50; // a run of the engine takes milliseconds
        var target = FuzzTarget.Find(name)!;
        var all = Corpus.Files(name).Select(File.ReadAllBytes).Where(input => input.Length > 0).ToArray();
        var random = new Random(7);
        var most = name == "engine" ? engineInputs : inputs;
        for (var i = 0; i < most; i++)
        {
            var input = (byte[])all[i % all.Length].Clone();
            if (i % 2 == 0) input = input[..random.Next(input.Length)];
            else input[random.Next(input.Length)] ^= (byte)(1 << random.Next(8));
            var finding = Record.Exception(() => target.Run(input));
            Assert.True(finding is null, $"{Convert.ToHexString(input)}: {finding}");
        }
    }

    [Fact]
    public void The_corpus_stays_small() => Assert.InRange(Corpus.Length, 1, 1 << 20);
}
