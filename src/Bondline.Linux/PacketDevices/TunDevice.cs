using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Bondline.Linux;

/// <summary>A TUN device: the kernel's end is a network interface.</summary>
/// <remarks>Needs CAP_NET_ADMIN and the right to open /dev/net/tun. The interface goes with this object, or with the process.</remarks>
public sealed partial class TunDevice : IPacketDevice
{
    private const string Path = "/dev/net/tun";
    private const int ReadWrite = 0x80802; // O_RDWR | O_NONBLOCK | O_CLOEXEC
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

    public int Descriptor => _descriptor;

    /// <summary>This process may open /dev/net/tun; many systems let everybody, some only root.</summary>
    public static bool IsAvailable
    {
        get
        {
            var descriptor = open(Path, ReadWrite);
            if (descriptor < 0) return false;
            new SafeFileHandle(descriptor, ownsHandle: true).Dispose();
            return true;
        }
    }

    /// <summary>Makes the device in the network namespace of the calling thread, down and without an address.</summary>
    /// <exception cref="Win32Exception">The kernel refused: no right to, no /dev/net/tun, or the name is taken.</exception>
    public static TunDevice Create(string name)
    {
        if (Encoding.ASCII.GetByteCount(name) is < 1 or > 15) throw new ArgumentException($"\"{name}\" is no interface name: 1 to 15 characters.", nameof(name));
        var descriptor = open(Path, ReadWrite);
        Check(descriptor, $"open {Path}");
        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            Span<byte> request = stackalloc byte[40]; // struct ifreq
            request.Clear();
            Encoding.ASCII.GetBytes(name, request);
            BinaryPrimitives.WriteInt16LittleEndian(request[16..], IffTun | IffNoPacketInfo | IffVirtioHeader);
            Check(ioctl(descriptor, SetInterface, ref MemoryMarshal.GetReference(request)), $"make the TUN device {name}");
            var prefix = IPacketDevice.PrefixLength;
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

    public int Read(Span<byte> packet)
    {
        var length = read(_descriptor, ref MemoryMarshal.GetReference(packet), (nuint)packet.Length);
        if (length > 0) return (int)length;
        if (length < 0 && Marshal.GetLastPInvokeError() != Again) Check(-1, $"read from {Name}");
        return 0;
    }

    public bool TryWrite(ReadOnlySpan<byte> packet) =>
        write(_descriptor, ref MemoryMarshal.GetReference(packet), (nuint)packet.Length) == packet.Length;

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
