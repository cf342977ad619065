using System.ComponentModel;
using System.Net;
using System.Net.Sockets;

namespace Bondline.Linux;

/// <summary>The kernel's MPTCP path manager in the network namespace of the thread that opened it: endpoints and limits, as <c>ip mptcp</c> sets them.</summary>
/// <remarks>Getting needs no rights on current kernels, changing CAP_NET_ADMIN. The kernel answers at once. Not thread safe. Every failure is a <see cref="MultipathException"/>.</remarks>
public sealed class MultipathPathManager : IDisposable
{
    internal const string FamilyName = "mptcp_pm";

    private const int NotPermitted = 1, AccessDenied = 13, Busy = 16, FileExists = 17, Invalid = 22, OutOfRange = 34, NotSupported = 95;

    private readonly GenericSocket _socket;

    private MultipathPathManager(GenericSocket socket) => _socket = socket;

    /// <exception cref="MultipathException">This kernel has no MPTCP, or netlink cannot be used here.</exception>
    public static MultipathPathManager Open() => Guard("reach the kernel's MPTCP", () => GenericSocket.TryOpen(FamilyName) is { } socket
        ? new MultipathPathManager(socket)
        : throw new MultipathException(MultipathFailure.NotSupported, "this kernel has no MPTCP: it has no netlink family mptcp_pm"));

    /// <summary>Whether this kernel has the command.</summary>
    public bool Knows(MultipathCommand command) => _socket.Family.Knows((int)command);

    /// <summary>All endpoints, by id.</summary>
    public IReadOnlyList<MultipathEndpoint> Endpoints()
    {
        var answer = Ask(MultipathCommand.GetEndpoints, "list the endpoints", (buffer, sequence) => MultipathEndpoint.WriteQuery(buffer, sequence, _socket.Family));
        return Guard("list the endpoints", () => answer.Messages.Select(message => MultipathEndpoint.Read(message.Payload)).OfType<MultipathEndpoint>().OrderBy(endpoint => endpoint.Id).ToList());
    }

    /// <summary>Adds one, and opens its subflows on connections there are.</summary>
    /// <exception cref="MultipathException">Among others <see cref="MultipathFailure.Exists"/> and <see cref="MultipathFailure.TableFull"/>.</exception>
    public void Add(MultipathEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        Ask(MultipathCommand.AddEndpoint, $"add the endpoint {endpoint.Address}", (buffer, sequence) => endpoint.Write(buffer, sequence, _socket.Family, MultipathCommand.AddEndpoint), WhyNotAdded);

        // Older kernels say "invalid" to all of it.
        MultipathFailure WhyNotAdded()
        {
            var endpoints = Endpoints();
            if (endpoints.Any(other => other.Address.Equals(endpoint.Address) && other.Port == endpoint.Port || other.Id == endpoint.Id)) return MultipathFailure.Exists;
            return endpoints.Count >= MultipathEndpoint.MaxCount ? MultipathFailure.TableFull : MultipathFailure.InvalidArgument;
        }
    }

    /// <summary>Deletes one, and closes its subflows.</summary>
    /// <param name="id">Its id; 0 with an address ends the first subflow of connections that began at that address, endpoint or not.</param>
    /// <param name="address">Needed with id 0 only.</param>
    public void Delete(int id, IPAddress? address = null)
    {
        var name = address is null ? $"{id}" : $"{id} ({address})";
        Ask(MultipathCommand.DeleteEndpoint, $"delete the endpoint {name}", (buffer, sequence) => MultipathEndpoint.WriteDelete(buffer, sequence, _socket.Family, id, address), () => WhyNotFound(other => other.Id == id));
    }

    /// <summary>Gives the endpoint with this address (and port) these flags; the kernel lets only backup and full mesh change, and does so on connections there are.</summary>
    public void Change(MultipathEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        Ask(
            MultipathCommand.ChangeEndpoint,
            $"change the endpoint {endpoint.Address}",
            (buffer, sequence) => endpoint.Write(buffer, sequence, _socket.Family, MultipathCommand.ChangeEndpoint),
            () => WhyNotFound(other => other.Address.Equals(endpoint.Address) && other.Port == endpoint.Port));
    }

    /// <summary>Deletes all endpoints, and closes their subflows.</summary>
    public void Flush() => Ask(MultipathCommand.FlushEndpoints, "flush the endpoints", (buffer, sequence) => MultipathEndpoint.WriteFlush(buffer, sequence, _socket.Family));

    public MultipathLimits Limits()
    {
        var answer = Ask(MultipathCommand.GetLimits, "read the limits", (buffer, sequence) => MultipathLimits.WriteQuery(buffer, sequence, _socket.Family));
        return Guard("read the limits", () => answer.Messages.Count > 0 ? MultipathLimits.Read(answer.Messages[0].Payload) : throw new NetlinkFormatException("the answer is empty"));
    }

    /// <summary>Sets both for connections to come, and those there are.</summary>
    public void SetLimits(MultipathLimits limits) =>
        Ask(MultipathCommand.SetLimits, $"set the limits to {limits.Subflows} subflows and {limits.AcceptedAddresses} addresses", (buffer, sequence) => limits.Write(buffer, sequence, _socket.Family));

    public void Dispose() => _socket.Dispose();

    private NetlinkAnswer Ask(MultipathCommand command, string what, NetlinkWriter write, Func<MultipathFailure>? whyInvalid = null)
    {
        if (!Knows(command)) throw new MultipathException(MultipathFailure.CommandUnknown, $"cannot {what}: this kernel's MPTCP is too old for it");
        var answer = Guard(what, () => _socket.Ask(write));
        if (answer.Error.IsSuccess) return answer;
        var failure = answer.Error.Number switch
        {
            NotPermitted or AccessDenied => MultipathFailure.RightMissing,
            NotSupported => MultipathFailure.CommandUnknown,
            FileExists or Busy => MultipathFailure.Exists,
            OutOfRange when command == MultipathCommand.AddEndpoint => MultipathFailure.TableFull,
            Invalid => whyInvalid?.Invoke() ?? MultipathFailure.InvalidArgument,
            _ => MultipathFailure.Other,
        };
        var why = failure switch
        {
            MultipathFailure.Exists => "there is one with this address or id already",
            MultipathFailure.NotFound => "there is no such endpoint",
            MultipathFailure.TableFull => $"there are {MultipathEndpoint.MaxCount} already, which is all the kernel takes",
            _ => answer.Error.Text ?? new Win32Exception(answer.Error.Number).Message,
        };
        throw new MultipathException(failure, $"cannot {what}: {why}", answer.Error.Number, answer.Error.Text);
    }

    private MultipathFailure WhyNotFound(Func<MultipathEndpoint, bool> isIt) => Endpoints().Any(isIt) ? MultipathFailure.InvalidArgument : MultipathFailure.NotFound;

    internal static T Guard<T>(string what, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Win32Exception error) when (error is not SocketException)
        {
            // No netlink of this kind: the kernel is built without, or a sandbox forbids it.
            throw new MultipathException(MultipathFailure.NotSupported, $"cannot {what}: {error.Message}", error.NativeErrorCode);
        }
        catch (SocketException error)
        {
            throw new MultipathException(MultipathFailure.Other, $"cannot {what}: {error.Message}", error.NativeErrorCode);
        }
        catch (NetlinkFormatException error)
        {
            throw new MultipathException(MultipathFailure.Other, $"cannot {what}: the kernel's answer cannot be read: {error.Message}");
        }
    }
}
