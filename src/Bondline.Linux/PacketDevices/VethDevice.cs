using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Bondline.Linux;

/// <summary>One end of a veth pair, held by a packet socket; the pair's other end, in another namespace, is the interface.</summary>
/// <remarks>
/// Needs CAP_NET_RAW and CAP_NET_ADMIN in the namespace, and no file: the way where /dev/net/tun is root's alone. The interface has
/// <see cref="HardwareAddress"/>, no ARP (its neighbours then have its own address) and complete checksums (<see cref="CompleteChecksums"/>).
/// </remarks>
public sealed partial class VethDevice : IPacketDevice
{
    /// <summary>Every interface's: a locally administered one.</summary>
    public const string HardwareAddress = "02:62:6f:6e:64:01";

    private const int PacketFamily = 17, CookedPackets = 0x80802; // SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC: IP packets without Ethernet's header
    private const int SolSocket = 1, ReceiveBufferForce = 33, SolPacket = 263, IgnoreOutgoing = 23;
    private const nuint GetIndex = 0x8933, GetFlags = 0x8913, SetFlags = 0x8914, Ethtool = 0x8946;
    private const uint EthtoolSetTransmitChecksums = 0x17;
    private const int RequestLength = 40; // struct ifreq
    private const short IsUp = 1;
    private const int Again = 11, NetworkIsDown = 100;
    private const ushort EveryProtocol = 0x0003, Version4 = 0x0800, Version6 = 0x86DD;

    // A burst that comes between two looks at the socket; the default holds about 90 packets.
    private const int ReceiveBufferBytes = 8 << 20;

    private readonly SafeFileHandle _handle;
    private readonly byte[] _destination;

    private VethDevice(SafeFileHandle handle, string name, int index)
    {
        _handle = handle;
        Descriptor = (int)handle.DangerousGetHandle();
        Name = name;
        _destination = Address(Version4, index);
    }

    public string Name { get; }

    public int Descriptor { get; }

    /// <summary>Has the kernel compute checksums before an interface of the calling thread's namespace sends, and cut what is longer than the MTU.</summary>
    /// <returns>True.</returns>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static unsafe bool CompleteChecksums(string name)
    {
        using var socket = Open();
        var setting = stackalloc uint[] { EthtoolSetTransmitChecksums, 0 };
        Span<byte> request = stackalloc byte[RequestLength];
        Request(request, name);
        MemoryMarshal.Write(request[16..], (nint)setting);
        Check(ioctl(socket, Ethtool, ref MemoryMarshal.GetReference(request)), $"turn checksum offloading of {name} off");
        return true;
    }

    /// <summary>Takes the end called <paramref name="name"/> in the namespace of the calling thread.</summary>
    /// <exception cref="Win32Exception">The kernel refused: no such interface, or no right to.</exception>
    public static VethDevice Open(string name)
    {
        var handle = Open();
        try
        {
            Span<byte> request = stackalloc byte[RequestLength];
            Request(request, name);
            Check(ioctl(handle, GetIndex, ref MemoryMarshal.GetReference(request)), $"find the interface {name}");
            var index = MemoryMarshal.Read<int>(request[16..]);
            var (size, one) = (ReceiveBufferBytes, 1);
            _ = setsockopt(handle, SolSocket, ReceiveBufferForce, ref size, sizeof(int)); // refused in some namespaces: bursts then drop sooner
            Check(setsockopt(handle, SolPacket, IgnoreOutgoing, ref one, sizeof(int)), $"set the packet socket of {name} up");
            var address = Address(EveryProtocol, index);
            Check(bind(handle, address, address.Length), $"bind a packet socket to {name}");
            return new(handle, name, index);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public int Read(Span<byte> packet)
    {
        packet[..IPacketDevice.PrefixLength].Clear();
        var body = packet[IPacketDevice.PrefixLength..];
        var length = recv(Descriptor, ref MemoryMarshal.GetReference(body), (nuint)body.Length, 0);
        if (length > 0) return IPacketDevice.PrefixLength + (int)length;
        if (length < 0 && Marshal.GetLastPInvokeError() is not (Again or NetworkIsDown)) Check(-1, $"read from {Name}");
        return 0;
    }

    public bool TryWrite(ReadOnlySpan<byte> packet)
    {
        var body = packet[IPacketDevice.PrefixLength..];
        BinaryPrimitives.WriteUInt16BigEndian(_destination.AsSpan(2), body[0] >> 4 == 6 ? Version6 : Version4);
        return sendto(Descriptor, ref MemoryMarshal.GetReference(body), (nuint)body.Length, 0, ref MemoryMarshal.GetArrayDataReference(_destination), _destination.Length) == body.Length;
    }

    public void SetCarrier(bool hasCarrier)
    {
        Span<byte> request = stackalloc byte[RequestLength];
        Request(request, Name);
        Check(ioctl(_handle, GetFlags, ref MemoryMarshal.GetReference(request)), $"read the flags of {Name}");
        var flags = MemoryMarshal.Read<short>(request[16..]);
        MemoryMarshal.Write(request[16..], (short)(hasCarrier ? flags | IsUp : flags & ~IsUp));
        Check(ioctl(_handle, SetFlags, ref MemoryMarshal.GetReference(request)), $"set the carrier of {Name}");
    }

    public void Dispose() => _handle.Dispose();

    private static SafeFileHandle Open()
    {
        var descriptor = socket(PacketFamily, CookedPackets, 0);
        Check(descriptor, "open a packet socket");
        return new(descriptor, ownsHandle: true);
    }

    //  | family (2) | protocol (2, big endian) | interface (4) | hardware type (2) | packet type (1) | address length (1) | address (8) |
    private static byte[] Address(ushort protocol, int index)
    {
        var address = new byte[20];
        MemoryMarshal.Write(address, (ushort)PacketFamily);
        BinaryPrimitives.WriteUInt16BigEndian(address.AsSpan(2), protocol);
        MemoryMarshal.Write(address.AsSpan(4), index);
        address[11] = 6;
        Convert.FromHexString(HardwareAddress.Replace(":", "", StringComparison.Ordinal)).CopyTo(address, 12);
        return address;
    }

    private static void Request(Span<byte> request, string name)
    {
        if (Encoding.ASCII.GetByteCount(name) is < 1 or > 15) throw new ArgumentException($"\"{name}\" is no interface name: 1 to 15 characters.", nameof(name));
        request.Clear();
        Encoding.ASCII.GetBytes(name, request);
    }

    private static void Check(int result, string what)
    {
        if (result >= 0) return;
        var error = Marshal.GetLastPInvokeError();
        throw new Win32Exception(error, $"Cannot {what}: {Marshal.GetPInvokeErrorMessage(error)}.");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(SafeFileHandle socket, byte[] address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(SafeFileHandle socket, int level, int option, ref int value, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeFileHandle socket, nuint request, ref byte argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recv(int socket, ref byte buffer, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendto(int socket, ref readonly byte buffer, nuint length, int flags, ref byte address, int addressLength);
}
