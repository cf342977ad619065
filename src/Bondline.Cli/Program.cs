using Bondline.Cli;

return await CommandLine.RunAsync(args, CommandHost.System());
