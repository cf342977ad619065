using System.Text;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

public sealed class BondRecordFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-record-");
    private readonly TaskCompletionSource<string> _ended = new();

    private string FilePath => Path.Combine(_folder.FullName, "bond");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task What_real_ends_record_happens_again()
    {
        using (var record = Create())
        {
            await using var pair = new LoopbackPair(relay => relay with { Record = record });
            await using var link = await pair.OpenAsync(agent => agent with { Record = record });
            await using var near = await link.Agent.OpenStreamAsync(new() { Kind = StreamKind.Tcp, Tunnel = 3 });
            var sending = SendAsync(near);
            await using var far = await link.Relay.AcceptStreamAsync(CancellationToken.None).AsTask().WaitAsync(LoopbackPair.Patience);
            await far!.CopyToAsync(Stream.Null, TestContext.Current.CancellationToken);
            await sending;
        }

        static async Task SendAsync(BondStream stream)
        {
            await stream.WriteAsync(new byte[300_000]);
            await stream.CompleteWritesAsync();
        }
        Assert.False(_ended.Task.IsCompleted);

        var replay = new BondReplay(_ => { }, tellsWrites: false);
        foreach (var line in File.ReadLines(FilePath)) replay.Add(Encoding.UTF8.GetBytes(line));
        var results = replay.End();

        Assert.Equal([BondRole.Agent, BondRole.Relay], results.Select(result => result.Role).Order());
        Assert.All(results, result => Assert.Null(result.Difference));
        Assert.InRange(results.Single(result => result.Role == BondRole.Agent).Subflows.Sum(subflow => subflow.NewBytes), 300_001, 300_100); // a header first
    }

    [Fact]
    public void It_is_its_users_alone_and_keeps_the_one_before()
    {
        Create().Dispose();
        var first = File.ReadAllText(FilePath);
        File.AppendAllText(FilePath, "kept");
        Create().Dispose();

        Assert.Equal(first + "kept", File.ReadAllText(FilePath + ".1"));
        Assert.StartsWith("{\"bondRecord\":1,\"program\":\"a test\"", File.ReadAllText(FilePath));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FilePath));
    }

    [Fact]
    public async Task It_ends_before_it_is_too_long()
    {
        using (var record = Create(most: 1000))
            for (var i = 0; i < 100; i++) record.Append(Encoding.UTF8.GetBytes(new string('a', 99) + "\n"));

        Assert.InRange(new FileInfo(FilePath).Length, 900, 1000);
        Assert.EndsWith("\n", await File.ReadAllTextAsync(FilePath, TestContext.Current.CancellationToken));
        Assert.Contains("as long as a record gets", await _ended.Task.WaitAsync(LoopbackPair.Patience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_full_disk_ends_it_and_nothing_else()
    {
        using var record = BondRecordFile.Create("/dev/full", "a test", hasPayload: false, _ended.SetResult);

        Assert.Contains("No space left", await _ended.Task.WaitAsync(LoopbackPair.Patience, TestContext.Current.CancellationToken));
        for (var i = 0; i < 100_000; i++) record.Append(new byte[1000]); // and takes no memory
    }

    [Fact]
    public async Task A_disk_that_stands_ends_it_and_holds_nobody_up()
    {
        var pipe = Path.Combine(_folder.FullName, "pipe");
        using (var made = System.Diagnostics.Process.Start("mkfifo", [pipe])) await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        await using var reader = new FileStream(pipe, FileMode.Open, FileAccess.ReadWrite); // never reads
        using var record = BondRecordFile.Create(pipe, "a test", hasPayload: false, _ended.SetResult);
        var line = new byte[1 << 20];
        for (var i = 0; i < 40; i++) record.Append(line);

        reader.Dispose(); // the write that stands fails
        Assert.Matches("too slow|cannot be written", await _ended.Task.WaitAsync(LoopbackPair.Patience, TestContext.Current.CancellationToken));
    }

    private BondRecordFile Create(long most = long.MaxValue) => BondRecordFile.Create(FilePath, "a test", hasPayload: false, _ended.SetResult, most);
}
