using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary>A network namespace with nothing in it but a loopback device and an HTTP server that says whether it was asked over MPTCP; programs to ask it with; and copies of all of them that any user may run.</summary>
public sealed class RunWorld : IAsyncLifetime
{
    public const string Nobody = "65534";

    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private static int _made;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-run-");
    private readonly CancellationTokenSource _over = new();
    private Socket _server = null!;
    private Task _serving = null!;

    public NetworkNamespace Inside { get; private set; } = null!;

    /// <summary>The program under test.</summary>
    public string Bondline => InFolder("program/bondline");

    public string Port => $"{((IPEndPoint)_server.LocalEndPoint!).Port}";

    public string Url => $"http://127.0.0.1:{Port}/";

    /// <summary>A C program without any library.</summary>
    public string StaticFetch => InFolder("fetch");

    /// <summary>A C program that says whom it runs as; owned by root, and marked to run as its owner.</summary>
    public string Rights => InFolder("rights");

    public string InFolder(string name) => Path.Combine(_folder.FullName, name);

    public string Sample(string name) => InFolder($"samples/{name}");

    public async ValueTask InitializeAsync()
    {
        File.SetUnixFileMode(_folder.FullName, (UnixFileMode)0b111_111_111);
        Inside = NetworkNamespace.Create(string.Create(CultureInfo.InvariantCulture, $"run-{Environment.ProcessId}-{Interlocked.Increment(ref _made)}"));
        await CheckedAsync(Inside, "ip", "link", "set", "lo", "up");
        var program = Path.GetDirectoryName(Path.GetFullPath(AttackedRelay.Program))!;
        await CheckedAsync(null, "cp", "-rL", program + "/.", InFolder("program"));
        await CheckedAsync(null, "cp", "-r", Path.Combine(Path.GetDirectoryName(WebPrograms.Samples)!, "Fetch"), InFolder("samples"));
        await CheckedAsync(null, "clang", "-static", "-O1", "-o", StaticFetch, Sample("fetch.c"));
        await CheckedAsync(null, "clang", "-O1", "-o", Rights, Sample("rights.c"));
        await CheckedAsync(null, "chmod", "-R", "a+rX", InFolder("program"), InFolder("samples"), StaticFetch);
        await CheckedAsync(null, "chmod", "4755", Rights);
        _server = Inside.Run(() =>
        {
            var server = MultipathSocket.TryCreate(AddressFamily.InterNetwork) ?? throw new LabException("The kernel makes no MPTCP socket.");
            server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            server.Listen(1000);
            return server;
        });
        _serving = ServeAsync();
    }

    /// <summary>Starts bondline in the namespace, with C as the locale.</summary>
    public LabProcess Start(params string[] arguments) => LabProcess.Start(Inside, Bondline, arguments);

    /// <summary>Runs bondline to its end, all it gets on standard input being <paramref name="input"/>.</summary>
    public Task<ProcessResult> RunAsync(string[] arguments, string? input = null) => LabProcess.RunAsync(Inside, Bondline, arguments, input);

    /// <summary>The same as a user without any right.</summary>
    public Task<ProcessResult> RunAsNobodyAsync(params string[] arguments) => LabProcess.RunAsync(Inside, "setpriv", [.. AsNobody, Bondline, .. arguments]);

    public static string[] AsNobody => [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"];

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        if (_server is not null)
        {
            _server.Dispose();
            await _serving;
        }
        Inside?.Delete();
        _folder.Delete(recursive: true);
        _over.Dispose();
    }

    /// <summary>The object that <c>bondline run --json</c> writes at the end.</summary>
    public static JsonElement Report(ProcessResult result)
    {
        var line = result.Error.Split('\n').LastOrDefault(line => line.StartsWith("{\"event\":\"run\"", StringComparison.Ordinal)) ?? throw new LabException($"There is no report: {result.Error}");
        using var json = JsonDocument.Parse(line);
        return json.RootElement.Clone();
    }

    public static async Task<ProcessResult> CheckedAsync(NetworkNamespace? inside, string program, params string[] arguments) =>
        (await LabProcess.RunAsync(inside, program, arguments)).ThrowIfFailed($"{program} {string.Join(' ', arguments)}");

    private async Task ServeAsync()
    {
        var answering = new List<Task>();
        try
        {
            while (true) answering.Add(AnswerAsync(await _server.AcceptAsync(_over.Token)));
        }
        catch (Exception over) when (over is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(answering);
        }
    }

    private async Task AnswerAsync(Socket connection)
    {
        using (connection)
        {
            try
            {
                var buffer = new byte[4096];
                var asked = "";
                while (!asked.Contains("\r\n\r\n", StringComparison.Ordinal))
                {
                    var length = await connection.ReceiveAsync(buffer, _over.Token);
                    if (length == 0) return;
                    asked += Encoding.ASCII.GetString(buffer, 0, length);
                }
                var answer = MultipathSocket.IsMultipath(connection) ? "over MPTCP\n" : "over TCP\n";
                await connection.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.0 200 OK\r\nContent-Length: {answer.Length}\r\n\r\n{answer}"), _over.Token);
                connection.Shutdown(SocketShutdown.Send);
                _ = await connection.ReceiveAsync(buffer, _over.Token);
            }
            catch (Exception gone) when (gone is SocketException or OperationCanceledException)
            {
                // whoever asked went, or the tests are over
            }
        }
    }
}
