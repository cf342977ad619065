namespace Bondline.Cli;

/// <summary>What the process returns; the table is in docs/errors/README.md, and a test compares the two.</summary>
internal enum ExitCode
{
    Success = 0,
    Failure = 1,
    Usage = 2,
    Authentication = 3,
    TunnelRefused = 4,
    Superseded = 5,
    Incompatible = 6,
    ListenRefused = 7,

    /// <summary>Of <c>bondline run</c>, as of shells.</summary>
    ProgramNotRunnable = 126,

    /// <inheritdoc cref="ProgramNotRunnable"/>
    ProgramNotFound = 127,

    /// <summary>A second Ctrl-C cut the draining short: 128 + SIGINT, as shells write it.</summary>
    Interrupted = 130,
}
