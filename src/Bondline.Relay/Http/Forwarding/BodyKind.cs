namespace Bondline.Relay;

/// <summary>How the end of a response's body is known: RFC 9112 section 6.3.</summary>
internal enum BodyKind
{
    /// <summary>There is none.</summary>
    None,

    /// <summary>After as many bytes as Content-Length says.</summary>
    Length,

    /// <summary>With the last chunk.</summary>
    Chunked,

    /// <summary>With the connection.</summary>
    ToEnd,
}
