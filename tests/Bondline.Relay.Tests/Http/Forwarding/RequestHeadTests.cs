using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class RequestHeadTests
{
    [Theory]
    [InlineData("X-Hop")]
    [InlineData("x-hop")]
    [InlineData("keep-alive, X-Hop")]
    [InlineData(" ,,\tX-HOP\t,")]
    [InlineData("close", "X-Hop, X-Other")]
    public void What_Connection_names_stays_with_the_relay(params string[] connection)
    {
        var written = Write(connection);
        Assert.DoesNotContain("X-Hop:", written, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\r\nX-Kept: b\r\n", written, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("keep-alive")]
    [InlineData("close, Keep-Alive, Upgrade, TE")]
    [InlineData("X-Ho, X-Hopp, Hop")]
    public void What_Connection_does_not_name_goes_on(params string[] connection) => Assert.Contains("\r\nX-Hop: a\r\n", Write(connection), StringComparison.Ordinal);

    [Fact]
    public void A_reasonable_number_of_options_is_read()
    {
        const int most = 64;
        Assert.DoesNotContain("X-Hop:", Write(new string(',', most - 1) + "X-Hop"), StringComparison.Ordinal);
        Assert.DoesNotContain("X-Hop:", Write([.. Enumerable.Range(1, most - 1).Select(i => $"a{i}"), "X-Hop"]), StringComparison.Ordinal);
        Assert.Equal(StatusCodes.Status400BadRequest, Assert.Throws<BadHttpRequestException>(() => Write(new string(',', most))).StatusCode);
        Assert.Throws<BadHttpRequestException>(() => Write([.. Enumerable.Repeat("close", most + 1)]));
    }

    [Theory]
    [InlineData("keep-alive")]
    [InlineData("close")]
    [InlineData("Upgrade")]
    [InlineData("keep-alive, Upgrade")]
    public void Usual_options_cost_no_memory(string connection)
    {
        var (with, without) = (Context(connection), Context());
        using var to = new ByteWriter(4096);
        Assert.Equal(Allocated(without, to), Allocated(with, to));
    }

    private static long Allocated(HttpContext context, ByteWriter to)
    {
        var head = RequestHead.Of(context);
        head.Write(context, hostHeader: null, to); // what is made only once
        to.Clear();
        var before = GC.GetAllocatedBytesForCurrentThread();
        head.Write(context, hostHeader: null, to);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static string Write(params string[] connection)
    {
        var context = Context(connection);
        using var to = new ByteWriter(4096);
        RequestHead.Of(context).Write(context, hostHeader: null, to);
        return Encoding.Latin1.GetString(to.Written.Span);
    }

    private static DefaultHttpContext Context(params string[] connection)
    {
        var context = new DefaultHttpContext();
        (context.Request.Protocol, context.Request.Method, context.Request.Path) = ("HTTP/1.1", "GET", "/");
        context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = "/";
        context.Request.Headers.Host = "shop.lab.test";
        context.Request.Headers["X-Hop"] = "a";
        context.Request.Headers["X-Kept"] = "b";
        if (connection.Length > 0) context.Request.Headers.Connection = new StringValues(connection);
        return context;
    }
}
