using System.Runtime.InteropServices;
using Bondline.Cli;
using Bondline.Linux;

namespace Bondline.Fuzz;

/// <summary>Datagrams of sock_diag: MPTCP connections and TCP sockets, joined and shown.</summary>
internal static class SocketDiagnosticsTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var answer = new NetlinkAnswer(input.Length < 12 ? 0 : MemoryMarshal.Read<uint>(input[8..]));
        try
        {
            answer.HandleDatagram(input);
        }
        catch (NetlinkFormatException)
        {
        }
        var (multipath, tcp) = (Read(answer, isMultipath: true), Read(answer, isMultipath: false));
        var connections = MultipathConnection.Join(multipath, tcp);
        FuzzTarget.Require(connections.Count <= multipath.Count, "a socket is one connection");
        var rates = SubflowRate.Measure(tcp, tcp, TimeSpan.FromSeconds(1));
        var report = new ConnectionReport(new([]), new Dictionary<uint, SocketOwner>(), rates);
        foreach (var line in report.Lines(connections)) FuzzTarget.Require(!line.Any(char.IsControl), "a line is one line");
    }

    private static List<InetSocket> Read(NetlinkAnswer answer, bool isMultipath)
    {
        var sockets = new List<InetSocket>();
        foreach (var (_, payload) in answer.Messages)
        {
            try
            {
                if (InetSocket.Read(payload, isMultipath) is { } socket) sockets.Add(socket);
            }
            catch (NetlinkFormatException)
            {
            }
        }

        return sockets;
    }
}
