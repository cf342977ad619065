using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bondline.Relay;

/// <summary>The relay's own root: it signs what visitors of the TLS port see. Made once; agents know nothing of it, they pin the key of <see cref="RelayIdentity"/>.</summary>
internal sealed class CertificateAuthority : IDisposable
{
    private const string File = "relay-ca.pem"; // key and certificate in one: they cannot be torn apart

    // Visitors install it by hand, so it is to outlive the relay.
    private const int Years = 20;

    // Systems refuse certificates that are valid for years, whoever signed them.
    private static readonly TimeSpan LeafValidity = TimeSpan.FromDays(90);

    // Clocks of visitors are late, too.
    private static readonly TimeSpan Tolerance = TimeSpan.FromDays(1);

    private readonly X509Certificate2 _root;

    private CertificateAuthority(X509Certificate2 root) => _root = root;

    /// <summary>The certificate without its key, as systems import it.</summary>
    public string Pem => _root.ExportCertificatePem();

    /// <summary>SHA-256 of the certificate, in hexadecimal.</summary>
    public string Fingerprint => _root.GetCertHashString(HashAlgorithmName.SHA256);

    /// <summary>A root that lasts as long as the process.</summary>
    public static CertificateAuthority Create(DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=Bondline relay root {Convert.ToHexString(SHA256.HashData(key.ExportSubjectPublicKeyInfo()).AsSpan(0, 4))}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        return new(request.CreateSelfSigned(now - Tolerance, now.AddYears(Years)));
    }

    /// <summary>Reads the root of <paramref name="folder"/>, or makes it. Two processes that make it at once agree on one.</summary>
    /// <exception cref="RelayException">The file is there but holds no usable root.</exception>
    public static CertificateAuthority LoadOrCreate(string folder, DateTimeOffset now)
    {
        var path = Path.Combine(folder, File);
        if (!System.IO.File.Exists(path))
        {
            using var fresh = Create(now);
            using var key = fresh._root.GetECDsaPrivateKey()!;
            DataFolder.WriteOnce(path, $"{fresh.Pem}\n{key.ExportPkcs8PrivateKeyPem()}\n");
        }
        return Load(folder);
    }

    /// <summary>Reads the root of <paramref name="folder"/>.</summary>
    /// <exception cref="RelayException">There is no usable one.</exception>
    public static CertificateAuthority Load(string folder)
    {
        var path = DataFolder.Find(folder, File);
        try
        {
            var text = System.IO.File.ReadAllText(path);
            var root = X509Certificate2.CreateFromPem(text, text);
            if (root.Extensions.OfType<X509BasicConstraintsExtension>().Any(basic => basic.CertificateAuthority)) return new(root);
            root.Dispose();
            throw new CryptographicException("The certificate may not sign others.");
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw new RelayException("data-unusable", $"{path} holds no usable root certificate and key: {error.Message.TrimEnd('.')}", "Put the saved copy back, or move it away for a new one, which visitors must then install in its place");
        }
    }

    /// <summary>A certificate with a key of its own. The caller disposes it.</summary>
    /// <param name="hosts">Host names, wildcards and addresses it is for.</param>
    /// <param name="now">It is valid from a day before to 90 days after, but only while the root is. May be earlier than the root: clocks are set back.</param>
    public X509Certificate2 Issue(IEnumerable<string> hosts, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Bondline relay", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false)); // TLS server
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_root, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts)
        {
            if (IPAddress.TryParse(host, out var address)) names.AddIpAddress(address);
            else names.AddDnsName(host);
        }
        request.CertificateExtensions.Add(names.Build());
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] &= 0x7f; // positive: RFC 5280 section 4.1.2.2
        DateTimeOffset begin = now - Tolerance, end = now + LeafValidity;
        using var bare = request.Create(_root, begin > _root.NotBefore ? begin : _root.NotBefore, end < _root.NotAfter ? end : _root.NotAfter, serial);
        return bare.CopyWithPrivateKey(key);
    }

    public void Dispose() => _root.Dispose();
}
