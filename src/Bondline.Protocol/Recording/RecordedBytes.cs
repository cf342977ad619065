using System.Globalization;
using System.Numerics;
using System.Text;

namespace Bondline.Protocol;

/// <summary>Bytes of a subflow as a bond record has them: hexadecimal, a frame after the other, and <c>~N</c> for N bytes of payload left out.</summary>
internal static class RecordedBytes
{
    /// <summary>The front of something that is no frame says why it is none.</summary>
    private const int MalformedLength = 16;

    /// <summary>The whole frames at the front of <paramref name="input"/>, and what shows that the rest is none.</summary>
    public static string OfFrames(ReadOnlySpan<byte> input, bool hasPayload)
    {
        var text = new StringBuilder();
        while (TryMeasure(input, out var length, out var payload))
        {
            if (hasPayload) payload = 0;
            Append(text, input[..(length - payload)]);
            if (payload > 0) text.Append(CultureInfo.InvariantCulture, $" ~{payload}");
            input = input[length..];
        }
        if (IsMalformed(input)) Append(text, input[..Math.Min(input.Length, MalformedLength)]);
        return text.ToString();
    }

    public static string OfPayload(ReadOnlySpan<byte> payload) => Convert.ToHexStringLower(payload);

    /// <summary>A checksum of whole frames (CRC-32C); of payload that is left out only its length counts.</summary>
    public static uint Check(ReadOnlySpan<byte> frames, bool hasPayload)
    {
        var check = 0u;
        while (TryMeasure(frames, out var length, out var payload))
        {
            if (hasPayload) payload = 0;
            foreach (var each in frames[..(length - payload)]) check = BitOperations.Crc32C(check, each);
            check = BitOperations.Crc32C(check, (uint)payload);
            frames = frames[length..];
        }
        return check;
    }

    /// <summary>The bytes of <paramref name="text"/>, with zeros for what was left out.</summary>
    /// <exception cref="FormatException">It has another form, or more than <paramref name="limit"/> bytes.</exception>
    public static byte[] Parse(string text, int limit)
    {
        var bytes = new List<byte>();
        foreach (var range in text.AsSpan().Split(' '))
        {
            var part = text.AsSpan()[range];
            if (part.StartsWith('~'))
            {
                if (!DecimalText.TryRead(part[1..], out var length) || length > limit - bytes.Count) throw new FormatException("more bytes than a bond takes at once");
                System.Runtime.InteropServices.CollectionsMarshal.SetCount(bytes, bytes.Count + length);
                continue;
            }
            if (part.Length / 2 > limit - bytes.Count) throw new FormatException("more bytes than a bond takes at once");
            bytes.AddRange(Convert.FromHexString(part));
        }
        return [.. bytes];
    }

    private static void Append(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        if (text.Length > 0) text.Append(' ');
        text.Append(Convert.ToHexStringLower(bytes));
    }

    /// <summary>How long the frame at the front is, and how many bytes at its end are a stream's.</summary>
    private static bool TryMeasure(ReadOnlySpan<byte> input, out int length, out int payload)
    {
        (length, payload) = (0, 0);
        try
        {
            if (!Frame.TryRead(input, out var frame, out length)) return false;
            if (frame.Type is not (FrameType.Stream or FrameType.StreamEnd)) return true;
            var body = frame.Body;
            if (VarInt.TryRead(body, out _, out var idLength) && VarInt.TryRead(body[idLength..], out _, out var offsetLength)) payload = body.Length - idLength - offsetLength;
            return true;
        }
        catch (ProtocolException)
        {
            return false;
        }
    }

    private static bool IsMalformed(ReadOnlySpan<byte> input)
    {
        try
        {
            Frame.TryRead(input, out _, out _);
            return false;
        }
        catch (ProtocolException)
        {
            return true;
        }
    }
}
