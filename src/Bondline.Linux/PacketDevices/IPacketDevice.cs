namespace Bondline.Linux;

/// <summary>The far side of a network interface: it reads the IP packets the interface sends and has it receive others, one at a time.</summary>
/// <remarks>
/// Not thread safe, except that one thread may read while another writes. Reads and writes never block.
/// Every packet has <see cref="PrefixLength"/> bytes before its IP header (the kernel's virtio header): they say which checksum is still to be
/// computed, so a packet read from one device may be written to another of its kind unchanged, checksum included. All zero: the packet is complete.
/// </remarks>
public interface IPacketDevice : IDisposable
{
    public const int PrefixLength = 10;
    public const int MaxPacketLength = PrefixLength + 65_535;

    /// <summary>For a poll call; readable while packets wait. Owned by the device.</summary>
    int Descriptor { get; }

    /// <summary>Takes the next packet the interface sent, prefix included.</summary>
    /// <returns>Its length; 0 if none waits.</returns>
    /// <exception cref="System.ComponentModel.Win32Exception">The device is gone.</exception>
    int Read(Span<byte> packet);

    /// <summary>Has the interface receive a packet; the whole receive path of the kernel runs in this call.</summary>
    /// <returns>False if the kernel did not take it: the interface is down, or the packet is no packet.</returns>
    bool TryWrite(ReadOnlySpan<byte> packet);

    /// <summary>Plugs or unplugs the cable, as the interface's owner sees it.</summary>
    void SetCarrier(bool hasCarrier);
}
