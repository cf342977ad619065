namespace Bondline.Cli;

/// <summary>Every error code of the program and the exit code of a process that ends with it. Each code has a page in docs/errors.</summary>
internal static class ErrorTable
{
    private static readonly Dictionary<string, ExitCode> Codes = new(StringComparer.Ordinal)
    {
        ["internal"] = ExitCode.Failure,
        ["output-failed"] = ExitCode.Failure,
        ["settings-unusable"] = ExitCode.Failure,
        ["data-unusable"] = ExitCode.Failure,
        ["local-unreachable"] = ExitCode.Failure,
        ["local-untrusted"] = ExitCode.Failure,
        ["relay-unreachable"] = ExitCode.Failure,
        ["record-unusable"] = ExitCode.Failure,
        ["record-differs"] = ExitCode.Failure,
        ["mptcp-missing"] = ExitCode.Failure,
        ["mptcp-off"] = ExitCode.Failure,
        ["mptcp-incomplete"] = ExitCode.Failure,
        ["mptcp-managed"] = ExitCode.Failure,
        ["right-missing"] = ExitCode.Failure,
        ["kernel-too-old"] = ExitCode.Failure,
        ["kernel-refused"] = ExitCode.Failure,
        ["service-refused"] = ExitCode.Failure,
        ["host-unreachable"] = ExitCode.Failure,
        ["unit-unusable"] = ExitCode.Failure,
        ["usage"] = ExitCode.Usage,
        ["join-url-invalid"] = ExitCode.Usage,
        ["not-available"] = ExitCode.Usage,
        ["proxy-unusable"] = ExitCode.Usage,
        ["token-unknown"] = ExitCode.Usage,
        ["token-exists"] = ExitCode.Usage,
        ["endpoint-exists"] = ExitCode.Usage,
        ["endpoint-unknown"] = ExitCode.Usage,
        ["auth-refused"] = ExitCode.Authentication,
        ["auth-expired"] = ExitCode.Authentication,
        ["pin-mismatch"] = ExitCode.Authentication,
        ["name-taken"] = ExitCode.TunnelRefused,
        ["name-invalid"] = ExitCode.TunnelRefused,
        ["port-taken"] = ExitCode.TunnelRefused,
        ["port-out-of-range"] = ExitCode.TunnelRefused,
        ["no-port-left"] = ExitCode.TunnelRefused,
        ["limit"] = ExitCode.TunnelRefused,
        ["superseded"] = ExitCode.Superseded,
        ["version-unsupported"] = ExitCode.Incompatible,
        ["relay-refused"] = ExitCode.Incompatible,
        ["listen-refused"] = ExitCode.ListenRefused,
        ["program-not-runnable"] = ExitCode.ProgramNotRunnable,
        ["program-not-found"] = ExitCode.ProgramNotFound,
    };

    public static IEnumerable<string> All => Codes.Keys;

    public static ExitCode ExitCodeOf(string code) => Codes.GetValueOrDefault(code, ExitCode.Failure);
}
