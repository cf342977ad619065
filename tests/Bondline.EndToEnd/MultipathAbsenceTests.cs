using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary><c>bondline mptcp</c> and <c>bondline run</c> where the kernel shows no MPTCP: no sockets, no netlink family, no settings and no counters.</summary>
[Trait("Mode", "normal")]
public sealed class MultipathAbsenceTests : IDisposable
{
    // A kernel without MPTCP answers the same to socket(2); generic netlink and sock_diag, which it would have, are hidden instead of MPTCP in them alone.
    private const string Source = """
        #include <errno.h>
        #include <linux/filter.h>
        #include <linux/netlink.h>
        #include <linux/seccomp.h>
        #include <stddef.h>
        #include <sys/prctl.h>
        #include <sys/socket.h>
        #include <sys/syscall.h>
        #include <unistd.h>

        #define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
        #define IF(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)
        #define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

        int main(int count, char **words)
        {
            struct sock_filter code[] = {
                LOAD(nr), IF(__NR_socket, 0, 6),
                LOAD(args[2]), IF(262, 5, 0), IF(NETLINK_GENERIC, 1, 0), IF(NETLINK_SOCK_DIAG, 0, 2),
                LOAD(args[0]), IF(AF_NETLINK, 1, 0),
                RETURN(SECCOMP_RET_ALLOW),
                RETURN(SECCOMP_RET_ERRNO | EPROTONOSUPPORT),
            };
            struct sock_fprog filter = { sizeof code / sizeof *code, code };
            if (count < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return 126;
            execv(words[1], words + 1);
            return 127;
        }
        """;

    // In namespaces of its own, with nothing that was enabled on this machine.
    private const string Alone = """
        mkdir -p $0/net && grep -v ^MPTcpExt /proc/net/netstat >$0/net/netstat
        mount -t tmpfs none /run && mount -t tmpfs none /var/lib && mount -t tmpfs none /proc/sys/net && mount --bind $0/net /proc/$$/task/$$/net && exec "$@"
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-absence-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Every_command_says_that_MPTCP_is_missing_and_none_does_anything()
    {
        string source = Path.Combine(_folder.FullName, "hide.c"), hide = Path.Combine(_folder.FullName, "hide");
        await File.WriteAllTextAsync(source, Source, TestContext.Current.CancellationToken);
        (await LabProcess.RunAsync(null, "clang", ["-o", hide, source])).ThrowIfFailed("clang");
        string[] commands =
        [
            "endpoint list", "endpoint add 192.0.2.1 subflow", "endpoint delete id 1", "endpoint change id 1 backup", "endpoint flush",
            "limits", "limits set subflows 3", "enable", "enable --dry-run", "watch", "monitor", "check 127.0.0.1:9", "connections", "stats",
        ];
        foreach (var command in commands)
        {
            var refused = await RunAsync("mptcp", command.Split(' '));
            Assert.True(refused.ExitCode == 1 && refused.Error.Contains("(mptcp-missing)", StringComparison.Ordinal), $"bondline mptcp {command}: {refused}");
            Assert.Empty(refused.Output);
        }

        var status = await RunAsync("mptcp", "status");
        Assert.True(status.ExitCode == 1 && status.Output.Contains("(mptcp-missing)", StringComparison.Ordinal), $"bondline mptcp status: {status}");
        var disable = await RunAsync("mptcp", "disable");
        Assert.True(disable is { ExitCode: 0, Output: "" } && disable.Error.Contains("has changed nothing here", StringComparison.Ordinal), $"bondline mptcp disable: {disable}");

        // A program runs all the same.
        const string Why = "this kernel has no MPTCP, or a sandbox hides it";
        var run = await RunAsync("run", "--", "sh", "-c", "echo done; exit 3");
        Assert.Equal((3, "done\n", $"warning: sh runs with plain TCP: {Why}\n"), (run.ExitCode, run.Output, run.Error));
        run = await RunAsync("run", "--json", "--", "sh", "-c", "exit 3");
        Assert.EndsWith($$"""{"event":"run","program":"sh","exitCode":3,"obstacle":"{{Why}}"}""" + "\n", run.Error, StringComparison.Ordinal);

        Task<ProcessResult> RunAsync(string command, params string[] words) =>
            LabProcess.RunAsync(null, "unshare", ["--mount", "--net", "sh", "-c", Alone, _folder.FullName, hide, LabNetwork.FindProgram(), command, .. words]);
    }
}
