using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Text;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary><c>bondline run</c>: a program whose TCP sockets are MPTCP sockets. Whatever is in the way of that, the program runs.</summary>
[SupportedOSPlatform("linux")]
internal sealed class MultipathProgram(CommandHost host)
{
    private const int NoEntry = 2; // ENOENT
    private const string Answered = "in another bondline run already, which makes its sockets";

    /// <summary>What was used is said at its end, and this process waits for it. False: it takes this process's place, and nothing stands between it and whoever started it.</summary>
    public required bool IsReported { get; init; }

    public bool IsJson { get; init; }

    /// <summary>It starts with SIGPIPE ignored.</summary>
    public bool IgnoresBrokenPipe { get; init; }

    /// <summary>What it finds as its own name (argv[0]); null: as it was typed.</summary>
    public string? OwnName { get; init; }

    /// <returns>Its exit code; if it takes this process's place, never.</returns>
    /// <exception cref="CommandException">It cannot be started.</exception>
    public int Run(IReadOnlyList<string> words)
    {
        var program = words[0];
        var arguments = OwnCommandLine.Last(words);
        switch (ProgramFile.Find(arguments[0], host.Environment("PATH"), out var path))
        {
            case ProgramSearch.NotFound: throw NotFound(program, "there is no such program");
            case ProgramSearch.NotRunnable: throw NotRunnable(program, "it is not a file that may be run");
        }
        if (OwnName is not null) arguments = [Encoding.UTF8.GetBytes(OwnName), .. arguments.Skip(1)];
        using var relay = IsReported ? new SignalRelay() : null; // before anything starts threads
        InheritedState.RestoreLimits();
        var before = IsReported ? MultipathCounters.Read() : null;
        string? obstacle = null;
        var isAnswered = SocketFilter.IsAnswered;
        using var watch = isAnswered ? null : TryWatch(path, out obstacle);
        if (isAnswered && IsReported) Say($"bondline run: {program} is {Answered}.");
        if (obstacle is not null) Say($"warning: {program} runs with plain TCP: {obstacle}");
        return relay is not null ? Accompany(program, path, arguments, relay, watch, isAnswered ? $"it is {Answered}" : obstacle, before) : throw NotStarted(program, OnThread(watch, () => NativeProgram.Become(path, arguments, IgnoresBrokenPipe)));
    }

    private SocketWatch? TryWatch(byte[] path, out string? obstacle)
    {
        try
        {
            return SocketWatch.TryStart(path, isChild: IsReported, out obstacle);
        }
        catch (Exception bug) // the program is to run whatever is wrong with us
        {
            obstacle = $"this is a bug in bondline: {bug.GetType().Name}: {bug.Message}";
            return null;
        }
    }

    private int Accompany(string program, byte[] path, IReadOnlyList<byte[]> arguments, SignalRelay relay, SocketWatch? watch, string? obstacle, MultipathCounters? before)
    {
        ChildProcess.Expect();
        var process = 0;
        var error = OnThread(watch, () => NativeProgram.TryStart(path, arguments, IgnoresBrokenPipe, relay.Blocked, out process));
        if (error != 0) throw NotStarted(program, error);
        relay.PassTo(process);
        InheritedState.LetGo();
        var end = ChildProcess.Wait(process);
        relay.Dispose();
        // An obstacle was said at the start; but whoever reads objects waits for this one.
        if (watch is not null || IsJson) Say(new ProgramReport(IsJson).Write(Path.GetFileName(program), end.ExitCode, watch?.Counts(), Since(before), obstacle));
        if (end.Signal != 0) ChildProcess.EndBy(end.Signal);
        return end.ExitCode;
    }

    // The program comes first: it may have been started without a standard error.
    private void Say(string line)
    {
        try
        {
            host.Error.WriteLine(line);
        }
        catch (IOException)
        {
            // nobody to tell
        }
    }

    private static int OnThread(SocketWatch? watch, Func<int> work) => watch is null ? work() : watch.Finish(work);

    private static MultipathCounters? Since(MultipathCounters? before) => before is null ? null : MultipathCounters.Read()?.Since(before);

    private static CommandException NotStarted(string program, int error) => error == NoEntry
        ? NotFound(program, "there is no such file, or the interpreter that its first line names is missing")
        : NotRunnable(program, Marshal.GetPInvokeErrorMessage(error));

    private static CommandException NotFound(string program, string why) => new("program-not-found", $"{program} cannot be run: {why}");

    private static CommandException NotRunnable(string program, string why) => new("program-not-runnable", $"{program} cannot be run: {why}");
}
