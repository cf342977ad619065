// Each test measures the machine it runs on: one at a time.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

// Network namespaces, and what a user without rights may do in them.
[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]
