using System.Runtime.Versioning;

// Modes of files and Unix sockets are part of what is tested here.
[assembly: UnsupportedOSPlatform("windows")]
