using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>Standard output or standard error as they are. .NET's own sets up the terminal at the first write, which puts escape codes before the first line.</summary>
public sealed class StandardStream : Stream
{
    private readonly int _descriptor;
    private volatile string? _failure;

    private StandardStream(int descriptor) => _descriptor = descriptor;

    public static StandardStream Output { get; } = new(1);

    public static StandardStream Error { get; } = new(2);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Why something could not be written, the first time; null if all was. That nobody reads any more is no failure: there is nobody to tell it.</summary>
    public string? Failure => _failure;

    /// <summary>Writes it, or drops it: a full disk below a log, or a terminal that was closed, must not end what is being logged. See <see cref="Failure"/>.</summary>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        const int BrokenPipe = 32; // EPIPE
        if (!LinuxTerminal.Write(_descriptor, buffer) && Marshal.GetLastPInvokeError() is not BrokenPipe and var error) _failure ??= Marshal.GetPInvokeErrorMessage(error);
    }

    /// <summary>Calls back once nobody reads this any more: the other end of a pipe or a connection is closed, or the terminal. What is in no such thing is read for ever.</summary>
    /// <remarks>On a thread that waits for that, if need be until this process ends. A write says it too late: the next one may be hours away.</remarks>
    public void WhenReaderIsGone(Action action) => new Thread(() =>
    {
        if (LinuxTerminal.WaitForClose(_descriptor)) action();
    })
    { IsBackground = true, Name = "reader" }.Start();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() { }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
