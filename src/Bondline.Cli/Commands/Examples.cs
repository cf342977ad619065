using System.CommandLine;

namespace Bondline.Cli.Commands;

/// <summary>The examples at the end of each command's help; a test runs every one of them through the parser.</summary>
internal static class Examples
{
    public static IReadOnlyList<string> Of(Command command) => command switch
    {
        RootCommand =>
        [
            "bondline http 3000                                a public URL for what listens on port 3000",
            "bondline tcp 22 --remote-port 7022                a public TCP port for the local SSH server",
            "bondline login                                    asks for a join URL: use this relay from now on",
            "bondline run -- curl -O https://example.org/file  any program, its TCP sockets being Multipath TCP",
            "bondline relay --domain tunnels.example           run a relay",
        ],
        { Name: "http" } =>
        [
            "bondline http 3000                                the service on 127.0.0.1:3000, under a name that stays",
            "bondline http 3000 --name shop                    ask for the name \"shop\"",
            "bondline http 3000 http://192.168.1.20:8080       two services over one bond",
            "bondline http https://localhost:5001              a service behind TLS, HTTP/2 and gRPC included",
            "bondline http ./dist                              the files of a folder",
            "bondline http 3000 --host-header rewrite          the service sees localhost:3000 as Host",
            "bondline http 3000 --paths eth0,wlan0:backup      these networks only, Wi-Fi if Ethernet fails",
            "bondline http 3000 --paths wlan0,usb0:metered=500MB/day  a budget for the phone, kept over restarts",
            "bondline http 3000 --mode redundant               every byte over every network: nothing pauses when one fails",
            "bondline http 3000 --record today.bond            write down what the bond does, for bondline replay",
            "bondline http 3000 --json                         one JSON object a line, for scripts",
        ],
        { Name: "tcp" } =>
        [
            "bondline tcp 22                                   the SSH server of this machine on a port of the relay",
            "bondline tcp 22 --remote-port 7022                ask for port 7022",
            "bondline tcp 192.168.1.30:5432 22                 two services over one bond",
        ],
        { Name: "run" } =>
        [
            "bondline run -- curl -O https://example.org/file  says at the end what was used",
            "bondline run --quiet -- ssh host.example          says nothing; ssh takes bondline's place",
            "bondline run --json -- ./server                   the end as one JSON object, on standard error",
            "sudo bondline run --unit nginx                    a service of systemd, from its next start on",
            "sudo bondline run --unit nginx --undo             as it was before",
        ],
        { Name: "login" } =>
        [
            "bondline login                                    asks for it",
            "bondline login 'bondline://ID.SECRET@relay.example?pin=sha256:KEY'",
            "bondline login @join-url.txt                      keeps the token out of the shell's history",
        ],
        { Name: "help" } =>
        [
            "bondline help http                                what the command http takes",
            "bondline help auth-expired                        what an error means and what to do",
            "bondline help exit-codes                          what the exit codes mean",
        ],
        { Name: "replay" } =>
        [
            "bondline replay today.bond                        what was out of the ordinary, with reasons",
            "bondline replay today.bond --writes --from 61 --to 62  why each frame of that second took its network",
            "bondline replay relay.bond --bond 3 --json        one agent of a relay's record, for scripts",
        ],
        { Name: "mptcp" } =>
        [
            "bondline mptcp status                             does it work from here, and what is missing",
            "bondline mptcp enable                             let connections use every network (root)",
            "bondline mptcp connections                        every MPTCP connection with its subflows",
            "bondline mptcp check example.com                  does MPTCP get through, over each network",
            "bondline mptcp endpoint list                      the addresses it may use",
        ],
        { Name: "status" } =>
        [
            "bondline mptcp status                             in words, each with the command that mends it",
            "bondline mptcp status --json                      one object, for scripts; exits with 0 if it works or mptcpd decides",
        ],
        { Name: "enable" } =>
        [
            "bondline mptcp enable --dry-run                   what would be changed",
            "bondline mptcp enable                             change it, until the machine starts again",
            "bondline mptcp enable --persist                   and over restarts",
            "bondline mptcp enable eth0 wg0                    these only, a VPN among them",
        ],
        { Name: "watch" } =>
        [
            "bondline mptcp watch                              until Ctrl-C; the endpoints stay, \"disable\" takes them away",
            "bondline mptcp watch --json                       one event a line, for scripts",
        ],
        { Name: "endpoint" } =>
        [
            "bondline mptcp endpoint add 192.0.2.2 dev eth0 subflow  open a subflow from here: for clients",
            "bondline mptcp endpoint add 192.0.2.2 signal      announce the address: for servers",
            "bondline mptcp endpoint change 192.0.2.2 backup   use it only if nothing else works, from now on",
            "bondline mptcp endpoint delete id 3               close its subflows and forget it",
        ],
        { Name: "limits" } =>
        [
            "bondline mptcp limits                             show them",
            "bondline mptcp limits set subflows 4 add_addr_accepted 2",
        ],
        { Name: "connections" } =>
        [
            "bondline mptcp connections --watch                every second, with rates",
            "bondline mptcp connections --json                 one connection a line, for scripts",
        ],
        { Name: "stats" } =>
        [
            "bondline mptcp stats                              what was counted, explained",
            "bondline mptcp stats --watch                      then what changes, every second",
        ],
        { Name: "check" } =>
        [
            "bondline mptcp check example.com                  port 443, over each network",
            "bondline mptcp check 192.0.2.1:8443 --json        one network a line, for scripts",
        ],
        { Name: "relay" } =>
        [
            "bondline relay                                    on ports 443 and 80, TCP tunnels on 7000-7999",
            "bondline relay --https-port 8443 --http-port 8000  without special rights",
            "bondline relay token create laptop                one more join URL",
            "bondline relay ca                                 the root certificate for https:// addresses of tunnels",
            "bondline relay --stats                            agents, visitors (and how many by MPTCP), streams and bytes, every second",
        ],
        _ => [],
    };
}
