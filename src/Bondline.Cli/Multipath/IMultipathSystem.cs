using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>What <c>bondline mptcp enable</c>, <c>disable</c>, <c>watch</c> and <c>status</c> see and touch of the machine. All of it is done when a call returns. Not thread safe.</summary>
/// <remarks>What cannot be done is a <see cref="CommandException"/> that says why.</remarks>
internal interface IMultipathSystem
{
    /// <summary>CAP_NET_ADMIN, which every change needs.</summary>
    bool MayChange { get; }

    /// <summary>There is a process of that id.</summary>
    bool IsRunning(int process);

    /// <summary>Of the network namespace: the same for as long as it lives, and no other's until the machine starts again.</summary>
    string NamespaceName { get; }

    /// <summary>Tells of interfaces, addresses and routes: all at first, then after each change.</summary>
    IInterfaceWatch WatchInterfaces();

    /// <summary>Everything else that matters, for interfaces that are so.</summary>
    MultipathFacts ReadFacts(IReadOnlyList<NetworkInterfaceState> interfaces);

    /// <summary>What systemd could run: this program, where nobody but root can put another one in its place.</summary>
    ServiceProgram FindServiceProgram();

    /// <summary>The machine's own network namespace, or the container's: the one that services run in.</summary>
    bool IsNamespaceOfServices { get; }

    /// <summary>Waits until no other command changes the same, and keeps others from it until it is disposed.</summary>
    /// <returns>Null if another one held it for half a minute.</returns>
    IDisposable? TryLock(CancellationToken stop);

    /// <summary>As <see cref="TryLock"/>.</summary>
    /// <exception cref="CommandException">Another one held it for half a minute.</exception>
    IDisposable Lock(CancellationToken stop) =>
        TryLock(stop) ?? throw new CommandException("kernel-refused", $"another bondline has held {MultipathFiles.Lock} for long", "Wait for it, or end it");

    /// <summary>Calls <paramref name="gone"/>, on any thread, when a file that is there is deleted, until it is disposed.</summary>
    IDisposable WatchFile(string path, Action gone);

    /// <summary>What the interface of a number is called now.</summary>
    /// <returns>Null if it is gone.</returns>
    string? FindInterfaceName(int index);

    string? ReadSysctl(string name);

    void WriteSysctl(string name, string value);

    IReadOnlyList<MultipathEndpoint> Endpoints();

    void AddEndpoint(MultipathEndpoint endpoint);

    void DeleteEndpoint(MultipathEndpoint endpoint);

    MultipathLimits Limits();

    void SetLimits(MultipathLimits limits);

    void AddRoute(RouteMessage route);

    /// <returns>False if there is none.</returns>
    bool DeleteRoute(RouteMessage route);

    /// <returns>Null if it is not there.</returns>
    string? ReadFile(string path);

    /// <summary>Writes a whole file in one step: afterwards it is as before or as given, whatever happens.</summary>
    void WriteFile(string path, string text);

    /// <summary>Deletes a file, and its folder if that was made for it and is empty.</summary>
    void DeleteFile(string path);

    /// <summary>Runs systemctl or nmcli to its end.</summary>
    ProcessAnswer Run(string program, params string[] arguments);
}

/// <summary>Full pictures of the machine's interfaces, one after the other.</summary>
internal interface IInterfaceWatch : IDisposable
{
    ValueTask<IReadOnlyList<NetworkInterfaceState>> NextAsync(CancellationToken stop);
}

/// <summary>How a program ended.</summary>
/// <param name="ExitCode">127 if there is no such program.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal readonly record struct ProcessAnswer(int ExitCode, string Output, string Error)
{
    /// <summary>Why it failed, in its own words.</summary>
    public string Reason => (Error.Trim() is { Length: > 0 } error ? error : Output.Trim()) is { Length: > 0 } text ? text.ReplaceLineEndings(" ").TrimEnd('.') : $"exit code {ExitCode}";
}

/// <summary>What a service could run.</summary>
/// <param name="Path">The program's file.</param>
/// <param name="Problem">Why it cannot be a service; a sentence without its full stop; null if it can.</param>
/// <param name="Next">What to do about it.</param>
internal readonly record struct ServiceProgram(string Path, string? Problem = null, string? Next = null);
