namespace Bondline.Relay;

/// <summary>What a local service answered is not a whole response of HTTP/1.1.</summary>
/// <param name="message">What is the matter.</param>
/// <param name="isEnd">It closed the connection too early; false: it said something wrong.</param>
internal sealed class BadResponseException(string message, bool isEnd = false) : Exception(message)
{
    public bool IsEnd => isEnd;
}
