using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Bondline.Linux;

namespace Bondline.Lab.Tests;

/// <summary>Pings from the laptop of a lab with a raw socket.</summary>
internal sealed class Probe : IDisposable
{
    private readonly Socket _socket;
    private ushort _sequence;

    public Probe(LabNetwork lab, LabLink link) => _socket = lab.Laptop.Run(() =>
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp);
        socket.SetRawSocketOption(1, 25, System.Text.Encoding.ASCII.GetBytes(link.Name + '\0')); // SO_BINDTODEVICE
        return socket;
    });

    public void Dispose() => _socket.Dispose();

    /// <returns>Milliseconds; null without an answer in <paramref name="limitMilliseconds"/>, or without a way out.</returns>
    public double? Ping(int limitMilliseconds = 1000, int payloadLength = 0)
    {
        var request = new byte[8 + payloadLength];
        request[0] = 8; // echo request
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(6), ++_sequence);
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(2), (ushort)~((8 << 8) + _sequence is var sum && sum > 0xFFFF ? sum - 0xFFFF : sum));
        var started = PreciseThread.Now;
        try
        {
            _socket.SendTo(request, new IPEndPoint(LabNetwork.Address, 0));
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.HostUnreachable)
        {
            return null;
        }
        Span<PollEntry> entries = [new((int)_socket.Handle)];
        var answer = new byte[70_000];
        var deadline = started + limitMilliseconds * 1_000_000L;
        while (PreciseThread.Now < deadline)
        {
            PreciseThread.WaitReadable(entries, deadline);
            if (!entries[0].IsReady) return null;
            var now = PreciseThread.Now;
            _socket.Receive(answer);
            if (answer[20] == 0 && BinaryPrimitives.ReadUInt16BigEndian(answer.AsSpan(26)) == _sequence) return (now - started) / 1e6;
        }
        return null;
    }

    /// <summary>Pings one after another, from a thread that runs first.</summary>
    public double[] Pings(int count)
    {
        double[] times = [];
        var thread = new Thread(() =>
        {
            PreciseThread.RemoveTimerSlack();
            PreciseThread.TryRunFirst();
            times = [.. Enumerable.Range(0, count).Select(_ => Ping() ?? double.PositiveInfinity)];
        });
        thread.Start();
        thread.Join();
        return times;
    }
}
