using Bondline.Cli;

const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

// .NET would hand every event of a socket to the thread pool. What follows ours is short and never blocks: it runs on the threads that wait for the
// kernel, one per core, which spares two changes of thread per message. .NET reads this before the first socket.
if (Environment.GetEnvironmentVariable(InlineCompletions) is null) Environment.SetEnvironmentVariable(InlineCompletions, "1");

return await CommandLine.RunAsync(args, CommandHost.System());
