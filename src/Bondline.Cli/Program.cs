using System.Globalization;
using Bondline.Cli;

// .NET would hand every event of a socket to the thread pool. What follows ours is short and never blocks: it runs on the threads that wait for the
// kernel, which spares two changes of thread per message. One for every two cores: with more, messages of one bond meet at its lock. .NET reads
// this before the first socket.
SetDefault("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", 1);
SetDefault("DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT", Math.Max(1, Environment.ProcessorCount / 2));

return await CommandLine.RunAsync(args, CommandHost.System());

static void SetDefault(string name, int value)
{
    if (Environment.GetEnvironmentVariable(name) is null) Environment.SetEnvironmentVariable(name, value.ToString(CultureInfo.InvariantCulture));
}
