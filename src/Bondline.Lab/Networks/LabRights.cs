using Bondline.Linux;

namespace Bondline.Lab;

/// <summary>The rights a lab needs: root's, or those of a user namespace.</summary>
public static class LabRights
{
    /// <summary>What to put before a command so that it sees a lab of an ordinary user; empty for root's.</summary>
    public static string Entering => UserNamespace.IsInside ? $"nsenter --preserve-credentials --user --mount --target {Environment.ProcessId} " : "";

    /// <summary>Makes sure of them: without them the program starts again, in the same process, where it has them.</summary>
    /// <exception cref="LabException">The system does not allow that.</exception>
    public static void Take()
    {
        if (!OperatingSystem.IsLinux()) throw new LabException("The lab is made of Linux network namespaces; this is another system.");
        if (UserNamespace.HasRights) return;
        throw new LabException($"The lab needs root, or a user namespace, which this system refuses: {UserNamespace.Restart()}. Or start it with sudo.");
    }
}
