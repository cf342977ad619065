using System.Net.Sockets;
using System.Text;

namespace Bondline.Linux;

/// <summary>The service manager that started this process, and wants to know how it gets on: systemd, for a unit of <c>Type=notify</c> (sd_notify(3)).</summary>
public static class ServiceManager
{
    /// <summary>The environment variable with the address to tell it at. It is for the one process that was started, not for those which that starts.</summary>
    public const string Variable = "NOTIFY_SOCKET";

    /// <summary>What there was to do at the start is done.</summary>
    public const string Ready = "READY=1";

    /// <summary>How it is, for people; <c>systemctl status</c> shows it.</summary>
    /// <param name="text">One line.</param>
    public static string Status(string text) => $"STATUS={text}";

    /// <summary>Tells the manager. What it does not hear is lost: a service goes on without one.</summary>
    /// <param name="address">The value of <see cref="Variable"/>: a path, or an abstract name behind @; null: nobody wants to know.</param>
    /// <param name="state">What to say.</param>
    public static void Tell(string? address, string state)
    {
        if (address is not ['/' or '@', ..]) return;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(address[0] == '@' ? $"\0{address[1..]}" : address));
        }
        catch (Exception nobody) when (nobody is SocketException or ArgumentException)
        {
            // It is gone, or its address is none. Nobody can be told of that either.
        }
    }
}
