using SharpFuzz;

namespace Bondline.Fuzz;

/// <summary><c>Bondline.Fuzz TARGET</c> is what afl-fuzz starts; see tests/Bondline.Fuzz/run and docs/fuzzing.md. Without a target's name it runs the tests.</summary>
internal static class Program
{
    /// <summary>No reader of ours takes more at once.</summary>
    private const int MaxInputLength = 1 << 20;

    public static async Task<int> Main(string[] arguments)
    {
        switch (arguments)
        {
            case ["--list"]:
                foreach (var listed in FuzzTarget.All) Console.WriteLine(listed.Name);
                return 0;
            case ["--instrument", .. var assemblies]:
                foreach (var assembly in assemblies) Fuzzer.Instrument(assembly, _ => true, Options.Value);
                return 0;
            case ["--replay", var name, .. var files] when FuzzTarget.Find(name) is { } target:
                return Replay(target, files);
            case ["--once"]:
                return FuzzTarget.All.Sum(target => Replay(target, Corpus.Files(target.Name)));
            case [var name] when FuzzTarget.Find(name) is { } target:
                Fuzz(target);
                return 0;
            default:
                return await Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(arguments, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
        }
    }

    /// <summary>Under afl-fuzz runs input after input in one process; without it, standard input once.</summary>
    /// <remarks>afl-fuzz starts the program before it has written the first input. Read too early that one is empty, and where a target does nothing without a first byte, no counter moves: afl-fuzz then takes the program for one without counters. So nothing stands for one zero byte.</remarks>
    private static void Fuzz(FuzzTarget target)
    {
        var buffer = new byte[MaxInputLength];
        Fuzzer.Run(stream =>
        {
            var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            target.Run(length == 0 ? [0] : buffer.AsSpan(0, length));
        });
    }

    /// <returns>How many inputs are findings.</returns>
    private static int Replay(FuzzTarget target, IReadOnlyList<string> files)
    {
        var findings = 0;
        foreach (var file in files)
        {
            try
            {
                target.Run(File.ReadAllBytes(file));
            }
#pragma warning disable CA1031 // whatever comes is what is looked for
            catch (Exception finding)
#pragma warning restore CA1031
            {
                findings++;
                Console.Error.WriteLine($"{target.Name} {file}: {finding}");
            }
        }
        Console.WriteLine($"{target.Name}: {files.Count} inputs, {findings} findings");
        return findings;
    }
}
