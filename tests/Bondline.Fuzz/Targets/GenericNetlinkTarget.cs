using System.Runtime.InteropServices;
using Bondline.Cli;
using Bondline.Linux;

namespace Bondline.Fuzz;

/// <summary>Datagrams of generic netlink: what a family is, MPTCP's endpoints and limits as answers to a request, its events.</summary>
internal static class GenericNetlinkTarget
{
    private static readonly GenericFamily Family = new("mptcp_pm", 28, 1, new Dictionary<string, int>(), []);
    private static readonly LocalInterfaces NoInterfaces = new([]);

    public static void Run(ReadOnlySpan<byte> input)
    {
        var events = new List<MultipathEvent>();
        MultipathEvent.ReadAll(input, Family.Id, events);
        foreach (var happened in events) FuzzTarget.Require(!EventReport.Line(happened, NoInterfaces, default).Any(char.IsControl), "an event is one line");

        var answer = new NetlinkAnswer(input.Length < 12 ? 0 : MemoryMarshal.Read<uint>(input[8..])); // to the request the first message answers
        try
        {
            answer.HandleDatagram(input);
        }
        catch (NetlinkFormatException)
        {
        }
        foreach (var (_, payload) in answer.Messages)
        {
            Try(payload, bytes => GenericFamily.Read(bytes));
            Try(payload, bytes => MultipathLimits.Read(bytes));
            Try(payload, ReadEndpoint);
        }
    }

    private static void ReadEndpoint(byte[] payload)
    {
        if (MultipathEndpoint.Read(payload) is not { } endpoint) return;
        var buffer = new byte[128];
        ReadOnlySpan<byte> written = buffer.AsSpan(0, endpoint.Write(buffer, 1, Family, MultipathCommand.AddEndpoint));
        FuzzTarget.Require(NetlinkMessage.TryRead(ref written, out var message) && endpoint.Equals(MultipathEndpoint.Read(message.Payload)), "an endpoint comes back the same");
    }

    private static void Try(byte[] payload, Action<byte[]> read)
    {
        try
        {
            read(payload);
        }
        catch (NetlinkFormatException)
        {
        }
    }
}
