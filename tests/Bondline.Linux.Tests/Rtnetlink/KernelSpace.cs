using System.Diagnostics;
using Xunit;

namespace Bondline.Linux.Tests.Rtnetlink;

/// <summary>A network namespace of the real kernel, to be changed by <c>ip</c> while it is watched.</summary>
internal sealed class KernelSpace(string name) : IDisposable
{
    private readonly NetworkNamespace _space = NetworkNamespace.Create($"{name}-{Environment.ProcessId}");

    public T Run<T>(Func<T> work) => _space.Run(work);

    /// <summary>Does what these lines of <c>ip -batch</c> say.</summary>
    public async Task ChangeAsync(IEnumerable<string> lines)
    {
        using var ip = Process.Start(new ProcessStartInfo("ip", ["-n", _space.Name, "-batch", "-"]) { RedirectStandardInput = true, RedirectStandardError = true })!;
        foreach (var line in lines) await ip.StandardInput.WriteLineAsync(line);
        ip.StandardInput.Close();
        var said = await ip.StandardError.ReadToEndAsync();
        await ip.WaitForExitAsync();
        Assert.True(ip.ExitCode == 0, said);
    }

    public void Dispose() => _space.Delete();
}
