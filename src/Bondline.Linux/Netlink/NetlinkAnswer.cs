namespace Bondline.Linux;

/// <summary>Looks at one message of an answer.</summary>
/// <returns>Whether to keep it.</returns>
public delegate bool NetlinkFilter(ReadOnlySpan<byte> payload);

/// <summary>Gathers the answer to one request out of datagrams: any number of messages, then how it ended. Bytes in, state out; not thread safe.</summary>
/// <param name="sequence">The request's.</param>
/// <param name="isKept">Which messages to keep; null for all.</param>
public sealed class NetlinkAnswer(uint sequence, NetlinkFilter? isKept = null)
{
    // More sockets, routes or endpoints than this are no use to anyone who reads them, and would only cost memory.
    private const int MaxMessages = 100_000;

    private readonly List<(NetlinkType Type, byte[] Payload)> _messages = [];

    /// <summary>What came, in the kernel's order.</summary>
    public IReadOnlyList<(NetlinkType Type, byte[] Payload)> Messages => _messages;

    /// <summary>Nothing more will come.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>How it ended, once it is complete.</summary>
    public NetlinkError Error { get; private set; }

    /// <summary>Something changed while it was read, or a part was lost: something may be missing or twice. Ask again.</summary>
    public bool IsInterrupted { get; private set; }

    /// <summary>Takes in one datagram. What answers another request, such as an earlier one that was given up, is passed over.</summary>
    /// <exception cref="NetlinkFormatException">A message is shorter than it says.</exception>
    public void HandleDatagram(ReadOnlySpan<byte> datagram)
    {
        while (!IsComplete && NetlinkMessage.TryRead(ref datagram, out var message))
        {
            if (message.Type == NetlinkType.Overrun) IsInterrupted = true;
            if (message.Sequence != sequence) continue;
            IsInterrupted |= message.IsDumpInterrupted;
            switch (message.Type)
            {
                case NetlinkType.Done or NetlinkType.Error:
                    Error = NetlinkError.Read(message);
                    IsComplete = true;
                    break;

                case NetlinkType.Nothing or NetlinkType.Overrun:
                    break;

                default:
                    if (_messages.Count < MaxMessages && isKept?.Invoke(message.Payload) != false) _messages.Add((message.Type, message.Payload.ToArray()));
                    break;
            }
        }
    }
}
