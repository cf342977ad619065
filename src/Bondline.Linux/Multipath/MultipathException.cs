namespace Bondline.Linux;

/// <summary>Why the kernel's path manager did not do something.</summary>
public enum MultipathFailure
{
    /// <summary>This kernel has no MPTCP, or hides it from us (a sandbox).</summary>
    NotSupported,

    /// <summary>CAP_NET_ADMIN in the network namespace is missing.</summary>
    RightMissing,

    /// <summary>This kernel has MPTCP, but is too old for the command.</summary>
    CommandUnknown,

    /// <summary>There is an endpoint with this address, or this id, already.</summary>
    Exists,

    /// <summary>There is no such endpoint.</summary>
    NotFound,

    /// <summary>There are <see cref="MultipathEndpoint.MaxCount"/> endpoints already.</summary>
    TableFull,

    /// <summary>The kernel does not take a value; <see cref="MultipathException.KernelText"/> may say which.</summary>
    InvalidArgument,

    /// <summary>Something else; see <see cref="MultipathException.Number"/>.</summary>
    Other,
}

/// <summary>The kernel's path manager refused a request, or cannot be reached.</summary>
/// <param name="failure">Why.</param>
/// <param name="message">What was tried and why it failed; a sentence without its full stop.</param>
/// <param name="number">The kernel's errno; 0 if it was not asked.</param>
/// <param name="kernelText">The kernel's own words, if it gave any.</param>
public sealed class MultipathException(MultipathFailure failure, string message, int number = 0, string? kernelText = null) : Exception(message)
{
    public MultipathFailure Failure { get; } = failure;

    public int Number { get; } = number;

    public string? KernelText { get; } = kernelText;
}
