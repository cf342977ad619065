using System.Runtime.InteropServices;

namespace Bondline.Transport;

/// <summary>Files that several processes may want to make at once.</summary>
public static partial class SharedFile
{
    private const int FileExists = 17, NotPermitted = 1, TooManyLinks = 31; // EEXIST, EPERM, EMLINK: the same on every Unix

    /// <summary>Gives a finished file its name if the name is free; of several who try at once, exactly one does. Its temporary name is gone either way.</summary>
    /// <remarks><see cref="File.Move(string, string, bool)"/> without overwriting looks first and renames then: of two at once the last wins, and the first has read what is no longer there.</remarks>
    /// <returns>False if the name was taken: what is there counts.</returns>
    /// <exception cref="IOException">The system refused.</exception>
    public static bool TryPublish(string temporary, string path)
    {
        try
        {
            if (!OperatingSystem.IsWindows())
            {
                if (Link(temporary, path) == 0) return true;
                var error = Marshal.GetLastPInvokeError();
                if (error == FileExists) return false;
                if (error is not (NotPermitted or TooManyLinks)) throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(error)}");
                // A file system without hard links: nearly as good.
            }

            File.Move(temporary, path, overwrite: false);
            return true;
        }
        catch (IOException) when (OperatingSystem.IsWindows() && File.Exists(path))
        {
            return false;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string added);
}
