using System.CommandLine;
using System.Text.Json;
using Bondline.Relay;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline relay ca</c>: the root of the relay's own certificates, and where to put it.</summary>
internal static class RelayCaCommand
{
    public static Command Create(CommandHost host, Option<string?> data)
    {
        var command = new Command("ca", "Print the root certificate that makes a machine trust this relay's https:// addresses.");
        command.SetAction((line, stop) => RelayCommand.GuardAsync(async () =>
        {
            var root = await RelayRoot.ReadAsync(line.GetValue(data), stop);
            host.Output.WriteLine(line.GetValue(CommonOptions.Json) ? JsonSerializer.Serialize(new RootLine("ca", root.Pem, root.Fingerprint), RelayJson.Lines.RootLine) : root.Pem);
            if (line.GetValue(CommonOptions.Quiet)) return;
            host.Error.WriteLine($"""
                This is the root of the relay that uses {root.Folder}.
                SHA-256 {root.Fingerprint}
                Save it on a visitor's machine ("bondline relay ca > bondline.crt"), then, there:
                  curl             curl --cacert bondline.crt https://...
                  Debian, Ubuntu   sudo cp bondline.crt /usr/local/share/ca-certificates/ && sudo update-ca-certificates
                  macOS            sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain bondline.crt
                  Windows          certutil -addstore -f Root bondline.crt   (as administrator)
                  Firefox          Settings, Privacy & Security, View Certificates, Authorities, Import
                A machine that trusts it believes every certificate made with this data folder: trust only a relay of your own.
                """);
        }));
        return command;
    }
}

internal sealed record RootLine(string Event, string Pem, string Sha256);
