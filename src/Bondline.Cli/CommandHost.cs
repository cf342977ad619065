using System.Text;
using Bondline.Cli.Multipath;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>What a command may touch of the process it runs in; tests give it their own.</summary>
internal sealed record CommandHost
{
    /// <summary>Results only; with <c>--json</c> one object a line.</summary>
    public required TextWriter Output { get; init; }

    /// <summary>Why a result did not reach standard output; null if all did.</summary>
    public Func<string?> OutputFailure { get; init; } = () => null;

    /// <summary>Diagnostics: warnings, errors, progress.</summary>
    public required TextWriter Error { get; init; }

    public required TextReader Input { get; init; }

    /// <summary>Standard output is this process's own, and may be a terminal to draw on.</summary>
    public bool MayDraw { get; init; }

    /// <summary>Reads an environment variable; null if it is not set or empty.</summary>
    public required Func<string, string?> Environment { get; init; }

    /// <summary>The machine whose kernel MPTCP is set up.</summary>
    public required Func<IMultipathSystem> Multipath { get; init; }

    /// <summary>Calls back once nobody reads <see cref="Output"/> any more, if that is noticed at all.</summary>
    public Action<Action> WhenReaderIsGone { get; init; } = _ => { };

    /// <summary>Ends long-running commands: the first signal drains, the second ends at once.</summary>
    public required StopSignals Stop { get; init; }

    /// <summary>For a command that only shows what happens: the signals end it, and so does its reader by leaving (<c>| head</c>).</summary>
    public void ShowUntilStopped()
    {
        Stop.Listen();
        WhenReaderIsGone(() =>
        {
            if (!Stop.Drain.IsCancellationRequested) Stop.Raise(); // Ctrl-C ends both of them, and is one signal
        });
    }

    public static CommandHost System() => new()
    {
        WhenReaderIsGone = action =>
        {
            if (OperatingSystem.IsLinux()) StandardStream.Output.WhenReaderIsGone(action);
        },
        Output = Writer(OperatingSystem.IsLinux() ? StandardStream.Output : Console.OpenStandardOutput()),
        OutputFailure = () => OperatingSystem.IsLinux() ? StandardStream.Output.Failure : null,
        Error = Writer(OperatingSystem.IsLinux() ? StandardStream.Error : Console.OpenStandardError()),
        Input = new StreamReader(OpenInput(), Encoding.UTF8), // not Console.In, which would set up a terminal whether it is read or not
        MayDraw = true,
        Environment = name => global::System.Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null,
        Multipath = () => OperatingSystem.IsLinux()
            ? new LinuxMultipathSystem(global::System.Environment.GetEnvironmentVariable("PATH"))
            : throw new CommandException("not-available", "\"bondline mptcp\" is about Linux's own Multipath TCP, which this system does not have"),
        Stop = new StopSignals(isOfProcess: true),
    };

    private static Stream OpenInput()
    {
        try
        {
            return Console.OpenStandardInput();
        }
        catch (Exception closed) when (closed is IOException or UnauthorizedAccessException)
        {
            return Stream.Null; // started with <&-
        }
    }

    // Every line is somebody's event: it leaves the process when it is written. Several threads report, so the writer is synchronized.
    private static TextWriter Writer(Stream stream) =>
        TextWriter.Synchronized(new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true, NewLine = "\n" });
}
