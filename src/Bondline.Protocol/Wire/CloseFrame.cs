using System.Text;

namespace Bondline.Protocol;

/// <summary>CLOSE: the bond, or a handshake, is over; the code says why and the reason says it in words.</summary>
//  | 0x0a | length (varint) | code (varint) | reason, UTF-8, at most 512 bytes, to the end of the frame |
public readonly record struct CloseFrame(ProtocolError Code, string Reason)
{
    public const int MaxReasonLength = 512;

    public static CloseFrame Parse(Frame frame)
    {
        var body = new BodyReader(frame.Type, frame.Body);
        var code = (ProtocolError)body.ReadNumber();
        if (body.Rest.Length > MaxReasonLength) throw new ProtocolException(ProtocolError.FrameMalformed, $"A CLOSE has a reason of {body.Rest.Length} bytes; at most {MaxReasonLength} are allowed.");
        return new(code, Printable(Encoding.UTF8.GetString(body.Rest)));
    }

    /// <summary>Writes the frame; a longer reason is cut.</summary>
    /// <returns>The bytes written.</returns>
    public int WriteTo(Span<byte> destination)
    {
        Span<byte> text = stackalloc byte[MaxReasonLength];
        Encoding.UTF8.TryGetBytes(Reason.AsSpan(0, Math.Min(Reason.Length, MaxReasonLength / 3)), text, out var textLength);
        destination[0] = (byte)FrameType.Close;
        var code = VarInt.Length((ulong)Code);
        VarInt.WriteFixed(destination[1..], (ulong)(code + textLength), 2);
        VarInt.Write(destination[3..], (ulong)Code);
        text[..textLength].CopyTo(destination[(3 + code)..]);
        return 3 + code + textLength;
    }

    /// <summary>The peer's text ends up in logs and on terminals, where control characters would act.</summary>
    private static string Printable(string text) => string.Create(text.Length, text, static (shown, text) =>
    {
        for (var i = 0; i < shown.Length; i++) shown[i] = char.IsControl(text[i]) ? ' ' : text[i];
    });
}
