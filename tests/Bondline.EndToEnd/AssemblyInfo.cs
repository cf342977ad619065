// Tests that only wait run side by side; what measures the machine it runs on is in OneAtATime.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.Collections, MaxThreads = 4)]

// Network namespaces, and what a user without rights may do in them.
[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]
