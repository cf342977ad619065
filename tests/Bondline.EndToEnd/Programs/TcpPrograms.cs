using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary>ssh, scp and psql, unchanged, against servers on the laptop: each directly and through a TCP tunnel.</summary>
internal sealed class TcpPrograms : IAsyncDisposable
{
    private const int SshPort = 9222, DatabasePort = 9543, FileBytes = 8_000_000;

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30), AnswerLimit = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-programs-");
    private readonly BondedLab _lab;
    private LabProcess? _sshServer, _database;

    private TcpPrograms(BondedLab lab) => _lab = lab;

    /// <summary>Starts sshd and PostgreSQL, and the agent that leads to them.</summary>
    public static async Task<TcpPrograms> StartAsync(BondedLab lab)
    {
        var programs = new TcpPrograms(lab);
        try
        {
            await Task.WhenAll(programs.StartSshServerAsync(), programs.StartDatabaseAsync());
            await lab.OpenAsync(SshPort, DatabasePort);
            return programs;
        }
        catch
        {
            await programs.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs all of them side by side, again and again until <paramref name="isOver"/>.</summary>
    /// <param name="isOver">Asked after each turn of a program.</param>
    /// <returns>What differed; empty if nothing did.</returns>
    public async Task<IReadOnlyList<string>> CompareAsync(Func<bool> isOver)
    {
        var differences = await Task.WhenAll(TalkAsync(isOver), RepeatAsync(CompareSshAsync), RepeatAsync(CompareScpAsync), RepeatAsync(CompareDatabaseAsync));
        return [.. differences.OfType<string>()];

        async Task<string?> RepeatAsync(Func<Task<string?>> compare)
        {
            string? difference;
            do difference = await compare();
            while (difference is null && !isOver());
            return difference;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_sshServer is not null) await _sshServer.DisposeAsync();
        if (_database is not null)
        {
            // Its shared memory is left behind if it is killed.
            if (!_database.HasExited) await _database.SignalAsync("INT");
            await _database.WaitAsync();
            await _database.DisposeAsync();
        }
        _folder.Delete(recursive: true);
    }

    private async Task StartSshServerAsync()
    {
        foreach (var key in (string[])["host", "id"])
            (await LabProcess.RunAsync(null, "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", InFolder(key)])).ThrowIfFailed("ssh-keygen");
        Directory.CreateDirectory("/run/sshd"); // sshd insists on it
        await File.WriteAllLinesAsync(InFolder("sshd.conf"),
        [
            $"Port {SshPort}", "ListenAddress 127.0.0.1", $"HostKey {InFolder("host")}", $"AuthorizedKeysFile {InFolder("id.pub")}", "StrictModes no",
            "PermitRootLogin yes", "UsePAM no", "Subsystem sftp internal-sftp", "PidFile none",
        ]);
        _sshServer = LabProcess.Start(_lab.Network.Laptop, "/usr/sbin/sshd", ["-D", "-e", "-f", InFolder("sshd.conf")]);
        await _sshServer.WaitForErrorAsync(error => error.Contains("listening", StringComparison.Ordinal), "that sshd listens", StartLimit);
        await File.WriteAllBytesAsync(InFolder("file"), RandomNumberGenerator.GetBytes(FileBytes));
    }

    private async Task StartDatabaseAsync()
    {
        // PostgreSQL refuses to run as root: the package's user owns its data, below a folder that this user may pass.
        string[] asUser = ["--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"];
        var programs = Path.GetDirectoryName(Directory.GetFiles("/usr/lib/postgresql", "initdb", SearchOption.AllDirectories).Order().Last())!;
        File.SetUnixFileMode(_folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        (await LabProcess.RunAsync(null, "install", ["-d", "-o", "postgres", "-m", "700", InFolder("data")])).ThrowIfFailed("install");
        (await LabProcess.RunAsync(null, "setpriv", [.. asUser, $"{programs}/initdb", "--pgdata", InFolder("data"), "--auth", "trust", "--locale", "C", "--encoding", "UTF8", "--no-sync"])).ThrowIfFailed("initdb");
        _database = LabProcess.Start(_lab.Network.Laptop, "setpriv",
        [
            .. asUser, $"{programs}/postgres", "-D", InFolder("data"), "-c", "listen_addresses=127.0.0.1", "-c", string.Create(CultureInfo.InvariantCulture, $"port={DatabasePort}"),
            "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=16MB",
        ]);
        await _database.WaitForErrorAsync(error => error.Contains("ready to accept connections", StringComparison.Ordinal), "that PostgreSQL is ready", StartLimit);
    }

    /// <summary>One session that lasts: each line that is typed comes back.</summary>
    private async Task<string?> TalkAsync(Func<bool> isOver)
    {
        await using var session = LabProcess.Start(_lab.Network.Relay, "ssh", [.. SshOptions(Tunnel(SshPort)), "cat"]);
        var lines = 0;
        do
        {
            var line = $"line {++lines}";
            await session.WriteLineAsync(line);
            using var late = new CancellationTokenSource(AnswerLimit);
            try
            {
                if (await session.ReadLineAsync(late.Token) != line) return $"ssh: line {lines} did not come back. {session.Error}";
            }
            catch (OperationCanceledException)
            {
                return $"ssh: line {lines} did not come back within {AnswerLimit.TotalSeconds} s. {session.Error}";
            }
        }
        while (lines < 100 || !isOver());
        session.CloseInput();
        return await session.WaitAsync() is { ExitCode: 0 } ? null : $"ssh: {session.Error}";
    }

    /// <summary>A file through a program at the far end, and back.</summary>
    private async Task<string?> CompareSshAsync()
    {
        var there = await LabProcess.RunAsync(_lab.Network.Relay, "bash", ["-o", "pipefail", "-c", "ssh \"$@\" cat <\"$0\" | sha256sum", InFolder("file"), .. SshOptions(Tunnel(SshPort))]);
        var expected = await LabProcess.RunAsync(null, "bash", ["-c", "sha256sum <\"$0\"", InFolder("file")]);
        return there.ExitCode == 0 && there.Output == expected.Output ? null : $"ssh cat: ({there.ExitCode}) {there.Output.Trim()} {there.Error.Trim()}";
    }

    private async Task<string?> CompareScpAsync()
    {
        var (address, options) = (Tunnel(SshPort), SshOptions(Tunnel(SshPort))[..^1]);
        foreach (var (from, to) in ((string, string)[])[(InFolder("file"), $"root@{address.Address}:{InFolder("sent")}"), ($"root@{address.Address}:{InFolder("sent")}", InFolder("fetched"))])
            if (await LabProcess.RunAsync(_lab.Network.Relay, "scp", ["-q", .. options, from, to]) is { ExitCode: not 0 } failed) return $"scp: ({failed.ExitCode}) {failed.Error.Trim()}";
        var isSame = AreSame("file", "sent") && AreSame("file", "fetched");
        File.Delete(InFolder("sent"));
        File.Delete(InFolder("fetched"));
        return isSame ? null : "scp: the file is another one";
    }

    private async Task<string?> CompareDatabaseAsync()
    {
        var direct = await QueryAsync("direct", _lab.Network.Laptop, new(IPAddress.Loopback, DatabasePort));
        var tunnel = await QueryAsync("tunnel", _lab.Network.Relay, Tunnel(DatabasePort));
        if (direct.ExitCode != 0 || tunnel.ExitCode != 0) return $"psql: {direct.Error.Trim()} {tunnel.Error.Trim()}";
        return direct.Output == tunnel.Output && AreSame("direct.copy", "tunnel.copy") ? null : "psql: what was asked was answered in another way";
    }

    /// <summary>Copies a table out and in again, reads a result, a cursor and a large value, and waits in between.</summary>
    private Task<ProcessResult> QueryAsync(string name, NetworkNamespace inside, IPEndPoint address) =>
        LabProcess.RunAsync(inside, "psql",
            ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--host", $"{address.Address}", "--port", $"{address.Port}", "--username", "postgres", "--dbname", "postgres", "--file", "-"],
            $"""
            create temporary table digests as select number, md5(number::text) as digest from generate_series(1, 100000) as number;
            \copy digests to '{InFolder(name)}.copy'
            create temporary table back (like digests);
            \copy back from '{InFolder(name)}.copy'
            select count(*), md5(string_agg(digest, '' order by number)) from back;
            select * from back order by number limit 2000;
            begin;
            declare digest_cursor cursor for select * from back order by digest;
            fetch 1000 from digest_cursor;
            commit;
            select pg_sleep(0.5);
            select repeat('x', 1000000);

            """);

    private string[] SshOptions(IPEndPoint address) =>
    [
        "-F", "none", "-i", InFolder("id"), "-o", $"Port={address.Port}", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", $"root@{address.Address}",
    ];

    private bool AreSame(string one, string other) => File.ReadAllBytes(InFolder(one)).AsSpan().SequenceEqual(File.ReadAllBytes(InFolder(other)));

    private IPEndPoint Tunnel(int port) => _lab.Visit(port);

    private string InFolder(string name) => Path.Combine(_folder.FullName, name);
}
