using System.Text;
using Bondline.Transport;

namespace Bondline.Fuzz;

/// <summary>What a web proxy answers to CONNECT, and the variables that name one. The first line stands for the variable, the rest for the answer.</summary>
internal static class ProxyTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var end = input.IndexOf((byte)'\n');
        var variable = Encoding.UTF8.GetString(end < 0 ? input : input[..end]);
        var answer = end < 0 ? [] : input[(end + 1)..];
        HttpProxy? proxy = null;
        try
        {
            proxy = ProxySettings.Read(name => name is "https_proxy" or "no_proxy" ? variable : null).For("relay.example");
        }
        catch (FormatException)
        {
        }
        proxy ??= new(new("proxy.example", 3128), null, "https_proxy");
        try
        {
            if (ProxyTunnel.Check(answer, new("relay.example", 443), proxy)) FuzzTarget.Require(answer.EndsWith("\r\n\r\n"u8), "nothing follows the head");
        }
        catch (ProxyException refused)
        {
            FuzzTarget.Require(!refused.Message.Any(char.IsControl), "what a proxy says does not reach the terminal");
        }
    }
}
