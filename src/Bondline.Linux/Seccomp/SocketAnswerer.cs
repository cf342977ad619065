using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Bondline.Linux;

/// <summary>Answers <c>socket(2)</c> for TCP of every thread behind a <see cref="SocketFilter"/> with an MPTCP socket, and with the plain call whenever that would not be the same but for MPTCP.</summary>
/// <remarks>
/// <c>socket(2)</c> has no pointers, so nothing can change between the look at a call and its answer. What a socket takes over from whoever makes it
/// is compared with the caller's (<see cref="CallerContext"/>); another network namespace is entered and another user taken on, where that is allowed.
/// </remarks>
public sealed partial class SocketAnswerer
{
    private const int MultipathProtocol = 262, NoEntry = 2; // ENOENT

    private readonly NotificationListener _listener;
    private readonly CallerContext _own = new(), _caller = new();
    private readonly bool _labelsMatter = CallerContext.LabelsMatter, _isOwnKnown;
    private readonly Action _beforeLook;

    public SocketAnswerer(NotificationListener listener)
        : this(listener, () => { })
    {
    }

    /// <param name="listener">Where the calls arrive.</param>
    /// <param name="beforeLook">Comes before the look at each caller; for tests.</param>
    internal SocketAnswerer(NotificationListener listener, Action beforeLook)
    {
        (_listener, _beforeLook) = (listener, beforeLook);
        _isOwnKnown = CallerContext.CanBeRead && _own.TryRead(Environment.ProcessId, _labelsMatter);
    }

    /// <summary>What was answered so far; for the thread that answers, or when it has ended.</summary>
    public AnswerCounts Counts { get; private set; }

    /// <summary>Answers on the calling thread until nobody is behind the filter any more.</summary>
    /// <param name="control">Whoever wants to know the counts: they are written to it now, for each message read from it, and at the end.</param>
    public void Run(SafeFileHandle control)
    {
        ArgumentNullException.ThrowIfNull(control);
        var isAsked = Tell(control);
        Span<PollEntry> entries = stackalloc PollEntry[2];
        while (true)
        {
            entries[0] = new(_listener.Descriptor);
            entries[1] = new(isAsked ? (int)control.DangerousGetHandle() : -1);
            PreciseThread.WaitReadable(entries, long.MaxValue);
            if (entries[0].HasInput)
            {
                if (_listener.TryReceive(out var request)) Answer(request);
            }
            else if (entries[0].IsReady)
            {
                if (isAsked) Tell(control);
                return; // hung up
            }
            else if (entries[1].IsReady)
            {
                isAsked = TryReadOrder(control) && Tell(control);
            }
        }
    }

    private void Answer(SocketRequest request)
    {
        switch (TryFind(request, out var descriptor))
        {
            case Obstacle.None:
                var error = _listener.TryInject(request, descriptor);
                _ = close(descriptor);
                if (error == 0)
                {
                    Counts = Counts with { Multipath = Counts.Multipath + 1 };
                    return;
                }
                if (error == NoEntry || !_listener.TryLetPass(request)) return; // the caller is gone
                Counts = Counts with { NotTaken = Counts.NotTaken + 1 };
                return;
            case var obstacle:
                if (_listener.TryLetPass(request)) Count(obstacle);
                return;
        }
    }

    private void Count(Obstacle obstacle) => Counts = obstacle switch
    {
        Obstacle.Refused => Counts with { Refused = Counts.Refused + 1 },
        Obstacle.Elsewhere => Counts with { Elsewhere = Counts.Elsewhere + 1 },
        Obstacle.OtherUser => Counts with { OtherUser = Counts.OtherUser + 1 },
        Obstacle.OtherGroup => Counts with { OtherGroup = Counts.OtherGroup + 1 },
        Obstacle.OtherLabel => Counts with { OtherLabel = Counts.OtherLabel + 1 },
        _ => Counts with { Hidden = Counts.Hidden + 1 },
    };

    private Obstacle TryFind(SocketRequest request, out int descriptor)
    {
        try
        {
            return Find(request, out descriptor);
        }
        catch (Exception) // no room for a thread, no memory, a bug: without an answerer nobody behind the filter would ever get a TCP socket again
        {
            descriptor = -1;
            return Obstacle.Refused;
        }
    }

    private Obstacle Find(SocketRequest request, out int descriptor)
    {
        descriptor = -1;
        _beforeLook();
        if (!_isOwnKnown || !_caller.TryRead(request.ThreadId, _labelsMatter)) return Obstacle.Hidden;
        _own.ReadControlGroup(Environment.ProcessId); // this process may be moved as well
        if (!_caller.IsInControlGroupOf(_own)) return Obstacle.OtherGroup;
        if (!_caller.HasLabelOf(_own)) return Obstacle.OtherLabel;
        if (_caller.IsInNetworkOf(_own)) return Make(request, out descriptor);
        try
        {
            var made = -1;
            var obstacle = NetworkNamespace.RunAt(CallerContext.NetworkPath(request.ThreadId), () => Make(request, out made));
            descriptor = made;
            return obstacle;
        }
        catch (Exception error) when (error is Win32Exception or IOException or UnauthorizedAccessException)
        {
            return Obstacle.Elsewhere;
        }
    }

    private Obstacle Make(SocketRequest request, out int descriptor)
    {
        descriptor = -1;
        var isOther = _caller.User != _own.User || _caller.Group != _own.Group;
        try
        {
            if (isOther && !TryBecome(_caller)) return Obstacle.OtherUser;
            descriptor = socket(request.Family, request.Type, MultipathProtocol);
            return descriptor < 0 ? Obstacle.Refused : Obstacle.None;
        }
        finally
        {
            if (isOther) TryBecome(_own);
        }
    }

    // Of the calling thread alone; the system call says what it was before, so asking for what cannot be tells whether it was done.
    private static bool TryBecome(CallerContext other)
    {
        _ = setfsgid(other.Group);
        _ = setfsuid(other.User);
        return setfsgid(uint.MaxValue) == (int)other.Group && setfsuid(uint.MaxValue) == (int)other.User;
    }

    private bool Tell(SafeFileHandle control)
    {
        Span<byte> message = stackalloc byte[AnswerCounts.Length];
        Counts.WriteTo(message);
        return write(control, message, (nuint)message.Length) == message.Length;
    }

    private static bool TryReadOrder(SafeFileHandle control)
    {
        Span<byte> order = stackalloc byte[1];
        return read(control, order, 1) == 1;
    }

    private enum Obstacle
    {
        None,
        Refused,
        Elsewhere,
        OtherUser,
        OtherGroup,
        OtherLabel,
        Hidden,
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc")]
    private static partial int setfsuid(uint user);

    [LibraryImport("libc")]
    private static partial int setfsgid(uint group);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);

    [LibraryImport("libc")]
    private static partial nint read(SafeFileHandle descriptor, Span<byte> buffer, nuint count);

    [LibraryImport("libc")]
    private static partial nint write(SafeFileHandle descriptor, ReadOnlySpan<byte> buffer, nuint count);
}
