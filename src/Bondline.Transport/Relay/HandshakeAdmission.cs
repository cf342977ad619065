using System.Net;
using System.Net.Sockets;

namespace Bondline.Transport;

/// <summary>Counts handshakes in progress, over all and per source, so that nobody unknown can make the relay grow.</summary>
internal sealed class HandshakeAdmission(int limit, int limitPerSource)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, int> _bySource = [];
    private int _count;

    /// <summary>A place for one handshake; dispose it when the handshake is over, however it ended.</summary>
    /// <returns>False if there is none left.</returns>
    public bool TryEnter(IPAddress source, out Place place)
    {
        place = default;
        var key = Key(source);
        lock (_gate)
        {
            if (_count >= limit) return false;
            if (key is { } counted)
            {
                var mine = _bySource.GetValueOrDefault(counted);
                if (mine >= limitPerSource) return false;
                _bySource[counted] = mine + 1;
            }

            _count++;
            place = new(this, key);
            return true;
        }
    }

    private void Leave(UInt128? key)
    {
        lock (_gate)
        {
            _count--;
            if (key is not { } counted) return;
            if (_bySource[counted] == 1) _bySource.Remove(counted);
            else _bySource[counted]--;
        }
    }

    /// <summary>The first 24 bits of an IPv4 address, the first 56 of an IPv6 one; null for this machine, whom only the common limit binds.</summary>
    private static UInt128? Key(IPAddress source)
    {
        if (IPAddress.IsLoopback(source)) return null;
        var address = source.IsIPv4MappedToIPv6 ? source.MapToIPv4() : source;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        var kept = address.AddressFamily == AddressFamily.InterNetwork ? 3 : 7;
        UInt128 key = (UInt128)(uint)length << 64; // the families do not meet
        for (var i = 0; i < kept; i++) key |= (UInt128)bytes[i] << (8 * i);
        return key;
    }

    /// <summary>One place taken.</summary>
    public struct Place(HandshakeAdmission owner, UInt128? key) : IDisposable
    {
        private HandshakeAdmission? _owner = owner;

        public void Dispose()
        {
            _owner?.Leave(key);
            _owner = null;
        }
    }
}
