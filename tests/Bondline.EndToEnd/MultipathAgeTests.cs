using System.Globalization;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary><c>bondline mptcp</c> where the kernel's MPTCP is of an age at which it lacked what is asked for. This kernel lacks nothing, so what it says of itself is changed on the way.</summary>
[Trait("Mode", "normal")]
public sealed class MultipathAgeTests : IDisposable
{
    // LAST is the last command of the family mptcp_pm that is left (linux/mptcp_pm.h); events came with the seventh. The list of sockets came between.
    private const string Source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <linux/genetlink.h>
        #include <linux/netlink.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/socket.h>

        #define EACH(at, type, begin, end) for (type *at = (type *)(begin); (char *)(at + 1) <= (end) && at->nla_len >= sizeof *at && (char *)at + at->nla_len <= (end); at = (type *)((char *)at + NLA_ALIGN(at->nla_len)))
        #define IN(at) EACH(part, struct nlattr, at + 1, (char *)at + at->nla_len)

        static int last(void) { return atoi(getenv("LAST")); }

        static void age_operations(struct nlattr *list)
        {
            EACH(operation, struct nlattr, list + 1, (char *)list + list->nla_len)
                IN(operation)
                    if (part->nla_type == CTRL_ATTR_OP_ID && *(unsigned *)(part + 1) > (unsigned)last()) *(unsigned *)(part + 1) += 100;
        }

        static void age_groups(struct nlattr *list)
        {
            EACH(group, struct nlattr, list + 1, (char *)list + list->nla_len)
                IN(group)
                    if (part->nla_type == CTRL_ATTR_MCAST_GRP_NAME && last() < 7 && !strcmp((char *)(part + 1), "mptcp_pm_events")) *(char *)(part + 1) = 'x';
        }

        static void age(void *buffer, ssize_t length)
        {
            struct nlmsghdr *message = buffer;
            if (length < (ssize_t)(NLMSG_HDRLEN + GENL_HDRLEN) || message->nlmsg_type != GENL_ID_CTRL || message->nlmsg_len > length) return;
            char *end = (char *)buffer + message->nlmsg_len;
            if (!memmem(buffer, message->nlmsg_len, "mptcp_pm", 9)) return;
            EACH(each, struct nlattr, (char *)buffer + NLMSG_HDRLEN + GENL_HDRLEN, end)
            {
                if ((each->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_OPS) age_operations(each);
                if ((each->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_MCAST_GROUPS) age_groups(each);
            }
        }

        // .NET receives with either.
        ssize_t recv(int socket, void *buffer, size_t length, int flags)
        {
            ssize_t got = ((ssize_t (*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv"))(socket, buffer, length, flags);
            age(buffer, got);
            return got;
        }

        ssize_t recvmsg(int socket, struct msghdr *message, int flags)
        {
            ssize_t got = ((ssize_t (*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg"))(socket, message, flags);
            if (message->msg_iovlen > 0) age(message->msg_iov[0].iov_base, got);
            return got;
        }

        ssize_t send(int socket, const void *buffer, size_t length, int flags)
        {
            char request[512];
            if (length >= NLMSG_HDRLEN && length <= sizeof request && ((struct nlmsghdr *)buffer)->nlmsg_type == 20 && ((struct nlmsghdr *)buffer)->nlmsg_len == length && last() < 7)
            {
                // SOCK_DIAG_BY_FAMILY: it asks for a protocol that nobody has.
                memcpy(request, buffer, length);
                for (size_t at = NLMSG_HDRLEN; at + 4 <= length; at += 4)
                    if (*(unsigned *)(request + at) == 262) *(unsigned *)(request + at) = 0x7fff;
                buffer = request;
            }
            return ((ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send"))(socket, buffer, length, flags);
        }
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-age-");
    private readonly NetworkNamespace _inside = NetworkNamespace.Create(string.Create(CultureInfo.InvariantCulture, $"age-{Environment.ProcessId}"));

    public void Dispose()
    {
        _inside.Delete();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task What_it_lacks_is_said_to_be_too_new_for_it_and_nothing_is_changed()
    {
        string source = Path.Combine(_folder.FullName, "age.c"), age = Path.Combine(_folder.FullName, "age.so");
        await File.WriteAllTextAsync(source, Source, TestContext.Current.CancellationToken);
        (await LabProcess.RunAsync(null, "clang", ["-shared", "-fPIC", "-o", age, source])).ThrowIfFailed("clang");
        await IpAsync("mptcp endpoint add 192.0.2.1 id 1 subflow");
        var before = await IpAsync("mptcp endpoint show") + await IpAsync("mptcp limits show");
        (int Last, string Command)[] lacking =
        [
            (0, "endpoint add 192.0.2.2 subflow"), (1, "endpoint delete id 0 192.0.2.1"), (2, "endpoint list"), (3, "endpoint flush"), (4, "limits set subflows 3"), (5, "limits"),
            (6, "endpoint change id 1 backup"), (6, "monitor"), (6, "connections"),
        ];
        foreach (var (last, command) in lacking)
        {
            var refused = await RunAsync(last, command);
            Assert.True(refused.ExitCode == 1 && refused.Error.Contains("(kernel-too-old)", StringComparison.Ordinal), $"bondline mptcp {command}: {refused}");
            Assert.Empty(refused.Output);
        }

        Assert.Equal(before, await IpAsync("mptcp endpoint show") + await IpAsync("mptcp limits show"));

        // What it has works, and of a kernel that lacks nothing nothing is hidden.
        (await RunAsync(6, "endpoint list")).ThrowIfFailed("bondline mptcp endpoint list");
        (await RunAsync(6, "limits set subflows 3")).ThrowIfFailed("bondline mptcp limits set");
        (await RunAsync(7, "endpoint change id 1 backup")).ThrowIfFailed("bondline mptcp endpoint change");
        (await RunAsync(7, "connections")).ThrowIfFailed("bondline mptcp connections");

        Task<ProcessResult> RunAsync(int last, string command) =>
            LabProcess.RunAsync(_inside, "env", [$"LD_PRELOAD={age}", $"LAST={last}", LabNetwork.FindProgram(), "mptcp", .. command.Split(' ')]);
    }

    private async Task<string> IpAsync(string arguments) => (await LabProcess.RunAsync(_inside, "ip", arguments.Split(' '))).ThrowIfFailed($"ip {arguments}").Output;
}
