using System.ComponentModel;

namespace Bondline.Linux;

/// <summary>Asks the kernel what an interface of the calling thread's network namespace is called. It needs no rights.</summary>
public static class InterfaceQuery
{
    private const int NoSuchDevice = 19, Invalid = 22; // ENODEV; EINVAL is what numbers below one get

    /// <param name="index">The kernel's number of the interface, which it keeps when it is renamed.</param>
    /// <returns>Null if there is none.</returns>
    /// <exception cref="Win32Exception">The kernel cannot be asked.</exception>
    /// <exception cref="NetlinkFormatException">Its answer cannot be read.</exception>
    public static string? FindName(int index)
    {
        using var exchange = new NetlinkExchange(NetlinkProtocol.Route);
        var answer = exchange.Ask((buffer, sequence) => LinkMessage.WriteQuery(buffer, sequence, index));
        return answer.Error.Number switch
        {
            0 when answer.Messages is [var message, ..] => Read(message.Payload)?.Name,
            0 or NoSuchDevice or Invalid => null,
            var error => throw new Win32Exception(error),
        };
    }

    private static LinkMessage? Read(ReadOnlySpan<byte> payload) => LinkMessage.Read(payload);
}
