using System.ComponentModel;

namespace Bondline.Linux;

/// <summary>Talks to one family of generic netlink in the network namespace of the thread that opened it. Not thread safe.</summary>
internal sealed class GenericSocket : IDisposable
{
    private const int NoEntry = 2;

    private readonly NetlinkExchange _exchange;

    private GenericSocket(NetlinkExchange exchange, GenericFamily family)
    {
        _exchange = exchange;
        Family = family;
    }

    public GenericFamily Family { get; }

    /// <returns>Null if this kernel does not have the family.</returns>
    /// <exception cref="Win32Exception">There is no generic netlink for us.</exception>
    /// <exception cref="System.Net.Sockets.SocketException">The kernel cannot be talked to.</exception>
    /// <exception cref="NetlinkFormatException">The answer is not what the kernel sends.</exception>
    public static GenericSocket? TryOpen(string name)
    {
        var exchange = new NetlinkExchange(NetlinkProtocol.Generic);
        try
        {
            var answer = exchange.Ask((buffer, sequence) => GenericFamily.WriteQuery(buffer, sequence, name));
            if (answer.Error.IsSuccess && answer.Messages.Count > 0) return new(exchange, GenericFamily.Read(answer.Messages[0].Payload));
            if (answer.Error.Number is not (NoEntry or 0)) throw new Win32Exception(answer.Error.Number, $"ask for the netlink family {name}: {new Win32Exception(answer.Error.Number).Message}");
        }
        catch
        {
            exchange.Dispose();
            throw;
        }

        exchange.Dispose();
        return null;
    }

    /// <inheritdoc cref="NetlinkExchange.Ask"/>
    public NetlinkAnswer Ask(NetlinkWriter write) => _exchange.Ask(write);

    public void Dispose() => _exchange.Dispose();
}
