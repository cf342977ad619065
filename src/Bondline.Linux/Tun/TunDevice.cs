using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Bondline.Linux;

/// <summary>A TUN device: the kernel's end is a network interface, this end reads what it sends and writes what it receives, one IP packet at a time.</summary>
/// <remarks>
/// Needs CAP_NET_ADMIN. Not thread safe, except that one thread may read while another writes.
/// The device goes with this object, or with the process. Reads and writes never block.
/// Every packet has <see cref="PrefixLength"/> bytes before its IP header (the kernel's virtio header): they say which checksum is still to be
/// computed, so a packet read from one device may be written to another unchanged, checksum included. All zero: the packet is complete.
/// </remarks>
public sealed partial class TunDevice : IDisposable
{
    public const int PrefixLength = 10;
    public const int MaxPacketLength = PrefixLength + 65_535;

    private const short IffTun = 1, IffNoPacketInfo = 0x1000, IffVirtioHeader = 0x4000;
    private const nuint SetInterface = 0x4004_54CA, SetOffload = 0x4004_54D0, SetVirtioHeaderSize = 0x4004_54D8, SetCarrierState = 0x4004_54E2;
    private const nint OffloadChecksum = 1;
    private const int Again = 11;

    private readonly SafeFileHandle _handle;
    private readonly int _descriptor;

    private TunDevice(SafeFileHandle handle, string name)
    {
        _handle = handle;
        _descriptor = (int)handle.DangerousGetHandle();
        Name = name;
    }

    public string Name { get; }

    /// <summary>For a poll call; readable while packets wait. Owned by the device.</summary>
    public int Descriptor => _descriptor;

    /// <summary>Makes the device in the network namespace of the calling thread, down and without an address.</summary>
    /// <exception cref="Win32Exception">The kernel refused: no right to, no /dev/net/tun, or the name is taken.</exception>
    public static TunDevice Create(string name)
    {
        if (Encoding.ASCII.GetByteCount(name) is < 1 or > 15) throw new ArgumentException($"\"{name}\" is no interface name: 1 to 15 characters.", nameof(name));
        var descriptor = open("/dev/net/tun", 0x80802); // O_RDWR | O_NONBLOCK | O_CLOEXEC
        Check(descriptor, "open /dev/net/tun");
        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            Span<byte> request = stackalloc byte[40]; // struct ifreq
            request.Clear();
            Encoding.ASCII.GetBytes(name, request);
            BinaryPrimitives.WriteInt16LittleEndian(request[16..], IffTun | IffNoPacketInfo | IffVirtioHeader);
            Check(ioctl(descriptor, SetInterface, ref MemoryMarshal.GetReference(request)), $"make the TUN device {name}");
            var prefix = PrefixLength;
            Check(ioctl(descriptor, SetVirtioHeaderSize, ref prefix), $"set the header size of {name}");
            Check(ioctl(descriptor, SetOffload, OffloadChecksum), $"set the offloads of {name}");
            return new(handle, name);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Takes the next packet the interface sent, prefix included.</summary>
    /// <returns>Its length; 0 if none waits.</returns>
    /// <exception cref="Win32Exception">The device is gone.</exception>
    public int Read(Span<byte> packet)
    {
        var length = read(_descriptor, ref MemoryMarshal.GetReference(packet), (nuint)packet.Length);
        if (length > 0) return (int)length;
        if (length < 0 && Marshal.GetLastPInvokeError() != Again) Check(-1, $"read from {Name}");
        return 0;
    }

    /// <summary>Has the interface receive a packet; the whole receive path of the kernel runs in this call.</summary>
    /// <returns>False if the kernel did not take it: the interface is down, or the packet is no packet.</returns>
    public bool TryWrite(ReadOnlySpan<byte> packet) =>
        write(_descriptor, ref MemoryMarshal.GetReference(packet), (nuint)packet.Length) == packet.Length;

    /// <summary>Plugs or unplugs the cable, as the interface's owner sees it.</summary>
    public void SetCarrier(bool hasCarrier)
    {
        var value = hasCarrier ? 1 : 0;
        Check(ioctl(_descriptor, SetCarrierState, ref value), $"set the carrier of {Name}");
    }

    public void Dispose() => _handle.Dispose();

    private static void Check(int result, string what)
    {
        if (result >= 0) return;
        var error = Marshal.GetLastPInvokeError();
        throw new Win32Exception(error, $"Cannot {what}: {Marshal.GetPInvokeErrorMessage(error)}.");
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int descriptor, nuint request, ref byte argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int descriptor, nuint request, ref int argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int descriptor, nuint request, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int descriptor, ref byte buffer, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, ref readonly byte buffer, nuint length);
}
