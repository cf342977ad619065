using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>How <c>socket(2)</c> for TCP was answered: with MPTCP sockets, or plainly and why. Each call counts once.</summary>
/// <param name="Multipath">MPTCP sockets made.</param>
/// <param name="Refused">The kernel made no MPTCP socket: it is switched off where the program is, or a limit is reached.</param>
/// <param name="Elsewhere">The program has moved to a network namespace that the answering process may not enter.</param>
/// <param name="OtherUser">It has become another user, and the answering process may not act as that one.</param>
/// <param name="OtherGroup">It is in another control group, by which firewalls may know sockets.</param>
/// <param name="OtherLabel">It runs under another label of SELinux or Smack, which its sockets must have.</param>
/// <param name="Hidden">Where it is cannot be seen: it made itself private, or there is no /proc.</param>
/// <param name="NotTaken">The socket could not be given to it: it has as many open files as it may.</param>
public readonly record struct AnswerCounts(
    long Multipath, long Refused, long Elsewhere, long OtherUser, long OtherGroup, long OtherLabel, long Hidden, long NotTaken)
{
    /// <summary>What the answering process sends to the one that started it.</summary>
    //  | each count in this order (8) |   host byte order: both are one program on one machine
    public const int Length = 8 * 8;

    /// <summary>Calls that made a plain TCP socket.</summary>
    public long Plain => Refused + Elsewhere + OtherUser + OtherGroup + OtherLabel + Hidden + NotTaken;

    /// <returns>False if it is cut short.</returns>
    public static bool TryRead(ReadOnlySpan<byte> message, out AnswerCounts counts)
    {
        counts = default;
        if (message.Length < Length) return false;
        counts = MemoryMarshal.Read<AnswerCounts>(message);
        return true;
    }

    /// <param name="destination">At least <see cref="Length"/> bytes.</param>
    public void WriteTo(Span<byte> destination) => MemoryMarshal.Write(destination, this);
}
