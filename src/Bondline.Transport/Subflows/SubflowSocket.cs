using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>One TLS 1.3 connection over TCP; what a subflow is made of. One reader and one writer at a time; cancelling either closes it.</summary>
internal sealed class SubflowSocket : IDisposable
{
    private const int MaxIssuerLength = 64;

    private static readonly SslApplicationProtocol Protocol = new("bondline/1");

    private readonly Socket _socket;
    private readonly RecordStream _records;
    private readonly SslStream _tls;
    private readonly INetworkPlatform _platform;
    private readonly bool _beganMultipath;
    private bool _usesLossTolerantControl;
    private int _unsentLimit;

    private SubflowSocket(Socket socket, INetworkPlatform platform)
    {
        (_socket, _platform) = (socket, platform);
        socket.Blocking = false;
        platform.Tune(socket);
        _beganMultipath = platform.IsMultipath(socket);
        _records = new(socket);
        _tls = new(_records, leaveInnerStreamOpen: true);
        Local = socket.LocalEndPoint as IPEndPoint;
        Remote = socket.RemoteEndPoint as IPEndPoint;
    }

    public IPEndPoint? Local { get; }

    public IPEndPoint? Remote { get; }

    /// <summary>It is a Multipath TCP connection, which the kernel may spread over several paths. That can end (it falls back to TCP), but not begin later.</summary>
    public bool IsMultipath => _beganMultipath && _platform.IsMultipath(_socket);

    /// <summary>SHA-256 of the relay's public key as shown in this connection.</summary>
    public byte[] RelayKeyHash { get; private set; } = [];

    /// <summary>Everything <see cref="AuthenticateAsRelayAsync"/> needs of the relay's identity; made once, it keeps OpenSSL's context.</summary>
    public static SslServerAuthenticationOptions CreateRelayOptions(X509Certificate2 identity) => new()
    {
        ServerCertificateContext = SslStreamCertificateContext.Create(identity, additionalCertificates: null, offline: true),
        EnabledSslProtocols = SslProtocols.Tls13,
        ApplicationProtocols = [Protocol],
        AllowTlsResume = false,
        AllowRenegotiation = false,
        ClientCertificateRequired = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
    };

    public static byte[] HashKey(X509Certificate certificate)
    {
        using var copy = new X509Certificate2(certificate);
        return SHA256.HashData(copy.PublicKey.ExportSubjectPublicKeyInfo());
    }

    /// <summary>TLS as the relay. Owns <paramref name="socket"/> from now on, even if it fails.</summary>
    /// <exception cref="AuthenticationException">The peer does not speak TLS 1.3 with our protocol.</exception>
    /// <exception cref="OperationCanceledException">The time is over.</exception>
    public static async Task<SubflowSocket> AuthenticateAsRelayAsync(
        Socket socket, INetworkPlatform platform, SslServerAuthenticationOptions options, byte[] keyHash, CancellationToken cancellationToken)
    {
        SubflowSocket? subflow = null;
        try
        {
            subflow = new(socket, platform) { RelayKeyHash = keyHash };
            await subflow._tls.AuthenticateAsServerAsync(options, cancellationToken);
            if (subflow._tls.NegotiatedApplicationProtocol != Protocol) throw new AuthenticationException("The peer did not ask for bondline/1.");
            return subflow;
        }
        catch
        {
            subflow?._tls.Dispose();
            socket.Dispose();
            throw;
        }
    }

    /// <summary>TLS as an agent. Owns <paramref name="socket"/> from now on, even if it fails.</summary>
    /// <remarks>With <paramref name="pins"/>, names, dates and authorities in the relay's certificate mean nothing; without any, they mean everything.</remarks>
    /// <exception cref="PinMismatchException">The peer showed another key: it is not the relay, or something between reads TLS.</exception>
    public static async Task<SubflowSocket> AuthenticateAsAgentAsync(
        Socket socket, INetworkPlatform platform, string host, IReadOnlyList<KeyPin> pins, CancellationToken cancellationToken)
    {
        SubflowSocket? subflow = null;
        var isWrongKey = false;
        var issuer = "";
        byte[] keyHash = [];
        try
        {
            subflow = new(socket, platform);
            var options = new SslClientAuthenticationOptions
            {
                TargetHost = host,
                EnabledSslProtocols = SslProtocols.Tls13,
                ApplicationProtocols = [Protocol],
                AllowTlsResume = false,
                AllowRenegotiation = false,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
                {
                    if (certificate is null) return false;
                    try
                    {
                        keyHash = HashKey(certificate);
                        if (pins.Count == 0) return errors == SslPolicyErrors.None;
                        isWrongKey = !pins.Any(pin => pin.Matches(keyHash));
                        if (isWrongKey) issuer = IssuerOf(certificate);
                        return !isWrongKey;
                    }
                    catch (CryptographicException)
                    {
                        return false; // a key or a name in it is none
                    }
                },
            };
            await subflow._tls.AuthenticateAsClientAsync(options, cancellationToken);
            if (subflow._tls.NegotiatedApplicationProtocol != Protocol) throw new AuthenticationException("The peer does not speak bondline/1.");
            subflow.RelayKeyHash = keyHash;
            return subflow;
        }
        catch (Exception failure)
        {
            subflow?._tls.Dispose();
            socket.Dispose();
            if (isWrongKey) throw new PinMismatchException(issuer, failure);
            throw;
        }
    }

    /// <summary>Waits until something can be read (or the connection is over), holding no buffer.</summary>
    public ValueTask<int> WaitReadableAsync() => _tls.ReadAsync(Memory<byte>.Empty);

    /// <returns>0 at the end of the connection.</returns>
    public ValueTask<int> ReadAsync(Memory<byte> buffer) => _tls.ReadAsync(buffer);

    /// <summary>A read of one record would not wait.</summary>
    public bool HasWholeRecord => _records.HasWholeRecord;

    /// <summary>As <see cref="RecordStream.TryPrefetch"/>.</summary>
    public bool TryPrefetch() => _records.TryPrefetch();

    /// <summary>Encrypts and sends; everything leaves in one system call.</summary>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> plaintext)
    {
        _records.BeginBurst(plaintext.Length);
        var encrypt = _tls.WriteAsync(plaintext);
        if (!encrypt.IsCompletedSuccessfully) return WriteSlowlyAsync(encrypt);
        encrypt.GetAwaiter().GetResult();
        return _records.FlushBurstAsync();
    }

    /// <summary>What TCP knows of the connection; nothing of one that is spread over several paths, of which it would speak for one.</summary>
    public bool TrySample(out TcpSample sample)
    {
        sample = default;
        return !IsMultipath && _platform.TrySample(_socket, out sample);
    }

    /// <summary>Whether it speaks Multipath TCP now, and both ends of each path of it.</summary>
    public (bool IsMultipath, IReadOnlyList<(IPEndPoint Local, IPEndPoint Remote)> Subflows) Multipath =>
        IsMultipath ? (true, _platform.MultipathSubflows(_socket)) : (false, []);

    /// <summary>Bounds what waits unsent in the kernel by what the path delivers in 5 ms. On paths under 2 ms it would only cost.</summary>
    public void LimitUnsent(TimeSpan rtt, double bytesPerSecond)
    {
        var limit = rtt < TimeSpan.FromMilliseconds(2) ? 0 : (int)Math.Clamp(bytesPerSecond * 0.005, 16 << 10, 128 << 10);
        if (limit == _unsentLimit || (limit > 0 && _unsentLimit > 0 && Math.Abs(limit - _unsentLimit) < _unsentLimit / 4)) return;
        _unsentLimit = limit;
        _platform.LimitUnsent(_socket, limit);
    }

    /// <summary>Switches to a congestion control that does not slow down for random loss; once.</summary>
    /// <returns>True if it was switched now.</returns>
    public bool TryUseLossTolerantControl()
    {
        if (_usesLossTolerantControl) return false;
        _usesLossTolerantControl = true;
        return _platform.TryUseLossTolerantCongestionControl(_socket);
    }

    /// <summary>Says that nothing more comes; what was written still arrives.</summary>
    public void ShutdownSend()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            // the connection is over already
        }
    }

    /// <summary>Closes with a reset: what waits in the kernel is thrown away, pending reads and writes fail.</summary>
    public void Abort()
    {
        if (_beganMultipath) _platform.ResetMultipath(_socket);
        try
        {
            _socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            // closed already
        }

        _socket.Dispose();
    }

    /// <summary>Frees TLS's memory. Call when no read or write is pending any more.</summary>
    public void Dispose()
    {
        _socket.Dispose();
        _tls.Dispose();
    }

    /// <summary>What reading, writing and authenticating throw when networks and peers fail; anything else is a bug.</summary>
    public static bool IsNetworkFailure([NotNullWhen(true)] Exception? failure) =>
        failure is IOException or SocketException or ObjectDisposedException or AuthenticationException or OperationCanceledException;

    // The certificate is hostile: what a terminal would act on, or nobody can read, goes.
    private static string IssuerOf(X509Certificate certificate)
    {
        using var copy = new X509Certificate2(certificate);
        var name = copy.GetNameInfo(X509NameType.SimpleName, forIssuer: true);
        var shown = name.Where(c => char.GetUnicodeCategory(c) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.OtherNotAssigned) && c != '"');
        return new string([.. shown.Take(MaxIssuerLength)]).Trim();
    }

    private async ValueTask WriteSlowlyAsync(ValueTask encrypt)
    {
        await encrypt;
        await _records.FlushBurstAsync();
    }
}

/// <summary>The peer's key is none of the pinned ones.</summary>
internal sealed class PinMismatchException(string issuer, Exception inner) : AuthenticationException("The peer's key is not the one in the join URL.", inner)
{
    /// <summary>Who certified that key, in its own words without control characters; may be empty.</summary>
    public string Issuer { get; } = issuer;
}
