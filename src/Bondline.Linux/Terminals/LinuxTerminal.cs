using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>The terminal behind standard output: its size, its mode, its keys. Any thread; one at a time each for keys and for writing.</summary>
public sealed partial class LinuxTerminal
{
    private const int Input = 0, Output = 1;
    private const int SetNow = 0; // TCSANOW
    private const int MinimumIndex = 6, TimeIndex = 5; // VMIN, VTIME
    private const uint Canonical = 0x2, Echo = 0x8; // ICANON, ECHO
    private const uint FlowControl = 0x400; // IXON
    private const ulong GetWindowSize = 0x5413; // TIOCGWINSZ
    private const short ReadyToRead = 1, ReadyToWrite = 4, Failed = 8, HungUp = 16; // POLLIN, POLLOUT, POLLERR, POLLHUP
    private const int Interrupted = 4, Again = 11; // EINTR, EAGAIN
    private const int SignalStop = 19; // SIGSTOP

    private Settings _original;
    private bool _isRaw;

    private LinuxTerminal(bool hasKeys) => HasKeys = hasKeys;

    /// <summary>Standard input is a terminal too.</summary>
    public bool HasKeys { get; private set; }

    /// <returns>Null if standard output is no terminal.</returns>
    public static LinuxTerminal? TryOpen() =>
        tcgetattr(Output, out _) == 0 ? new LinuxTerminal(tcgetattr(Input, out _) == 0) : null;

    /// <summary>This process may draw and read keys; one that a shell runs in the background may not.</summary>
    public bool IsForeground => tcgetpgrp(Output) == getpgrp();

    /// <summary>Columns and rows; 80 and 24 if the terminal does not say.</summary>
    public (int Width, int Height) Size =>
        ioctl(Output, GetWindowSize, out var size) == 0 && size is { Columns: > 0, Rows: > 0 } ? (size.Columns, size.Rows) : (80, 24);

    /// <summary>Keys come one by one and are not shown; Ctrl-C and Ctrl-Z stay signals. To be undone by <see cref="Restore"/>.</summary>
    public void MakeRaw()
    {
        if (tcgetattr(Output, out var now) != 0) return;
        if (!_isRaw) _original = now;
        now.Local &= ~(Canonical | Echo);
        now.Input &= ~FlowControl; // Ctrl-S would hold up whoever ends the screen
        (now.Control[MinimumIndex], now.Control[TimeIndex]) = (1, 0);
        _isRaw = tcsetattr(Output, SetNow, in now) == 0;
    }

    /// <summary>The mode it had before.</summary>
    public void Restore()
    {
        if (!_isRaw) return;
        _isRaw = false;
        tcsetattr(Output, SetNow, in _original);
    }

    /// <summary>Waits for keys; without a terminal for input, for the time alone.</summary>
    /// <returns>The bytes read; 0 if none came in time.</returns>
    public int ReadKeys(Span<byte> keys, TimeSpan atMost)
    {
        var wait = new Waiting { Descriptor = HasKeys ? Input : -1, Events = ReadyToRead };
        if (poll(ref wait, 1, (int)atMost.TotalMilliseconds) <= 0 || !IsForeground) return 0; // a read in the background stops the process
        var count = (int)read(Input, ref MemoryMarshal.GetReference(keys), keys.Length);
        if (count == 0 || (count < 0 && Marshal.GetLastPInvokeError() is not (Interrupted or Again))) HasKeys = false; // it was closed
        return Math.Max(count, 0);
    }

    /// <returns>False if the terminal is gone.</returns>
    public static bool Write(ReadOnlySpan<byte> bytes) => Write(Output, bytes);

    internal static bool Write(int descriptor, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var written = (int)write(descriptor, ref MemoryMarshal.GetReference(bytes), bytes.Length);
            if (written > 0)
            {
                bytes = bytes[written..];
                continue;
            }
            switch (Marshal.GetLastPInvokeError())
            {
                case Interrupted:
                    break;
                case Again: // somebody made it non-blocking
                    var wait = new Waiting { Descriptor = descriptor, Events = ReadyToWrite };
                    _ = poll(ref wait, 1, 1000);
                    break;
                default:
                    return false;
            }
        }
        return true;
    }

    /// <summary>Waits until the other end of what is written to is closed.</summary>
    /// <returns>False if there is nothing to wait for: no such descriptor.</returns>
    internal static bool WaitForClose(int descriptor)
    {
        var wait = new Waiting { Descriptor = descriptor }; // for nothing: failures come anyway
        while (poll(ref wait, 1, -1) < 0)
            if (Marshal.GetLastPInvokeError() != Interrupted) return false;
        return (wait.Happened & (Failed | HungUp)) != 0;
    }

    /// <summary>Stops this process as Ctrl-Z does; returns when it goes on.</summary>
    public static void Suspend() => _ = kill(getpid(), SignalStop);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int tcgetattr(int descriptor, out Settings settings);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int tcsetattr(int descriptor, int when, in Settings settings);

    [LibraryImport("libc")]
    private static partial int tcgetpgrp(int descriptor);

    [LibraryImport("libc")]
    private static partial int getpgrp();

    [LibraryImport("libc")]
    private static partial int getpid();

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int descriptor, ulong request, out WindowSize size);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(ref Waiting waiting, ulong count, int milliseconds);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int descriptor, ref byte buffer, nint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, ref byte buffer, nint length);

    /// <summary>struct termios of glibc and musl; the same on x86-64 and ARM64.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Settings
    {
        public uint Input, Output, ControlModes, Local;
        public byte Discipline;
        public Characters Control;
        public uint InputSpeed, OutputSpeed;
    }

    [InlineArray(32)]
    private struct Characters
    {
        private byte _first;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct WindowSize
    {
        public ushort Rows, Columns, Width, Height;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Waiting
    {
        public int Descriptor;
        public short Events, Happened;
    }
}
