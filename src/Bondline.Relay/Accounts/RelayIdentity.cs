using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bondline.Relay;

/// <summary>The relay's own ECDSA P-256 key and the self-signed certificate agents see. Join URLs pin the key; the certificate is made anew at each start.</summary>
internal sealed class RelayIdentity : IDisposable
{
    private const string KeyFile = "relay-key.pem";

    private readonly ECDsa _key;

    private RelayIdentity(ECDsa key)
    {
        _key = key;
        var hash = SHA256.HashData(key.ExportSubjectPublicKeyInfo());
        PublicKeyHash = hash;
        // 32 bits of the hash of a random key are random, and stay for as long as the key does.
        RelayId = BinaryPrimitives.ReadUInt32BigEndian(hash);
    }

    /// <summary>SHA-256 of the public key (SPKI): what join URLs pin.</summary>
    public ReadOnlyMemory<byte> PublicKeyHash { get; }

    /// <summary>Tells this relay's bonds from other relays'.</summary>
    public uint RelayId { get; }

    /// <summary>A key that lasts as long as the process.</summary>
    public static RelayIdentity Create() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>Reads the key of <paramref name="folder"/>, or makes it. Two processes that make it at once agree on one.</summary>
    /// <exception cref="RelayException">The file is there but holds no usable key.</exception>
    public static RelayIdentity LoadOrCreate(string folder)
    {
        var path = Path.Combine(folder, KeyFile);
        if (!File.Exists(path)) Write(path);
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(path));
            if (key.KeySize != 256) throw new CryptographicException($"The key has {key.KeySize} bits, not 256.");
            return new(key);
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            key.Dispose();
            throw new RelayException("data-unusable", $"{path} holds no usable key: {error.Message.TrimEnd('.')}", "Put the saved copy back, or move it away for a new key; join URLs made before will then no longer work");
        }
    }

    /// <summary>A certificate for the key, with <paramref name="domain"/> and <paramref name="address"/> as its names. The caller disposes it.</summary>
    public X509Certificate2 CreateCertificate(string? domain, IPAddress? address, DateTimeOffset now)
    {
        var request = new CertificateRequest("CN=Bondline relay", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false)); // TLS server
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(domain ?? "localhost");
        if (domain is not null) names.AddDnsName($"*.{domain}");
        if (address is not null) names.AddIpAddress(address);
        request.CertificateExtensions.Add(names.Build());
        var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddYears(10));
        if (!OperatingSystem.IsWindows()) return certificate;
        using (certificate) return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), password: null); // its TLS takes no key it does not keep itself
    }

    public void Dispose() => _key.Dispose();

    private static void Write(string path)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        DataFolder.WriteOnce(path, $"{key.ExportPkcs8PrivateKeyPem()}\n");
    }
}
