using System.Collections.Concurrent;
using Bondline.Cli.Multipath;
using Bondline.Linux;

namespace Bondline.Cli.Tests.Multipath;

/// <summary>What a watch tells, a line each, waited for one by one.</summary>
internal sealed class WatchReport : IMultipathWatchReport
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly ConcurrentQueue<string> _lines = new();
    private readonly SemaphoreSlim _count = new(0);

    public async Task<string> NextAsync()
    {
        if (!await _count.WaitAsync(Limit)) throw new TimeoutException("Nothing more was told.");
        return _lines.TryDequeue(out var line) ? line : throw new InvalidOperationException("Told and not there.");
    }

    public void Following(MultipathPlan plan, IEnumerable<Advice> advice) => Tell($"following {string.Join(' ', plan.Used.Select(verdict => verdict.Name))}");

    public void Changing(MultipathChange change) => Tell(change.Command);

    public void Remark(MultipathChange change, string remark) => Tell(remark);

    public void Added(string interfaceName, EndpointPlace place) => Tell($"added {interfaceName} {place.Address}");

    public void Deleted(string interfaceName, EndpointPlace place, LeftOut why) => Tell($"deleted {interfaceName} {place.Address}: {why.Detail}");

    public void Failed(CommandException why) => Tell($"failed: {why.Message}");

    private void Tell(string line)
    {
        _lines.Enqueue(line);
        _count.Release();
    }
}
