namespace Bondline.Relay;

/// <summary>The root of a relay's own certificates, for whoever is to visit its tunnels over HTTPS.</summary>
/// <param name="Pem">The certificate.</param>
/// <param name="Fingerprint">Its SHA-256, in hexadecimal.</param>
/// <param name="Folder">The relay's data folder.</param>
public sealed record RelayRoot(string Pem, string Fingerprint, string Folder)
{
    /// <summary>Reads it from the relay's data folder; the first start of a relay makes it.</summary>
    /// <param name="folder">The data folder; null for the default one.</param>
    /// <param name="cancellationToken">Gives up waiting for a running relay.</param>
    /// <exception cref="RelayException">There is none, the folder or the root cannot be used, or the relay that runs has another folder.</exception>
    public static async Task<RelayRoot> ReadAsync(string? folder, CancellationToken cancellationToken = default)
    {
        var tokens = new RelayTokens(folder);
        await tokens.CheckFolderAsync(cancellationToken);
        using var authority = CertificateAuthority.Load(tokens.Folder);
        return new(authority.Pem, authority.Fingerprint, tokens.Folder);
    }
}
