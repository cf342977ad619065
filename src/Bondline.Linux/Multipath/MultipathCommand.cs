namespace Bondline.Linux;

/// <summary>Commands of the generic netlink family <c>mptcp_pm</c> (linux/mptcp_pm.h). All but the two that get need CAP_NET_ADMIN.</summary>
public enum MultipathCommand : byte
{
    AddEndpoint = 1,
    DeleteEndpoint = 2,
    GetEndpoints = 3,
    FlushEndpoints = 4,
    SetLimits = 5,
    GetLimits = 6,
    ChangeEndpoint = 7,
}
