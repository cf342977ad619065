using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Agent.Tests;

/// <summary>A local service whose connections the test holds.</summary>
internal sealed class LocalService : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    /// <param name="isListening">False reserves the port only: connections are refused.</param>
    public LocalService(bool isListening = true)
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        if (isListening) Listen();
    }

    public LocalTarget Target =>
        LocalTarget.TryParse(((IPEndPoint)_listener.LocalEndPoint!).Port.ToString(CultureInfo.InvariantCulture), TunnelKind.Tcp, out var target) == TargetSyntax.Valid
            ? target!
            : throw new InvalidOperationException();

    public void Listen() => _listener.Listen();

    /// <summary>Listens with a queue that is full: whoever connects hears nothing.</summary>
    /// <returns>The one who waits in the queue.</returns>
    public Socket ListenWithoutRoom()
    {
        _listener.Listen(0);
        var waiting = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        waiting.Connect(_listener.LocalEndPoint!);
        return waiting;
    }

    /// <summary>The next connection that a visitor caused. The agent's one look before it is ready is skipped by <see cref="SkipProbeAsync"/>.</summary>
    public async Task<Socket> AcceptAsync() => await _listener.AcceptAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(20));

    public async Task SkipProbeAsync() => (await AcceptAsync()).Dispose();

    public void Dispose() => _listener.Dispose();
}
