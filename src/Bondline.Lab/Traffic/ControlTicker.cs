using Bondline.Linux;

namespace Bondline.Lab;

/// <summary>Ticks every millisecond and remembers how late it was at worst: on a host too busy to run a sleeping thread in time, a measurement proves nothing.</summary>
public sealed class ControlTicker : IDisposable
{
    private const long Interval = 1_000_000;

    private readonly Thread _thread;
    private volatile bool _isStopping;
    private long _mostLate, _ticks, _late;

    public ControlTicker()
    {
        _thread = new(Tick) { IsBackground = true, Name = "control ticker" };
        _thread.Start();
    }

    /// <summary>The latest tick since the last <see cref="Restart"/>.</summary>
    public TimeSpan MostLate => TimeSpan.FromMicroseconds(Volatile.Read(ref _mostLate) / 1000);

    /// <summary>The share of ticks that were over 5 ms late, since the last <see cref="Restart"/>.</summary>
    public double LateShare => Volatile.Read(ref _ticks) is var ticks and > 0 ? (double)Volatile.Read(ref _late) / ticks : 0;

    public void Restart()
    {
        Volatile.Write(ref _mostLate, 0);
        Volatile.Write(ref _ticks, 0);
        Volatile.Write(ref _late, 0);
    }

    public void Dispose()
    {
        _isStopping = true;
        _thread.Join();
    }

    private void Tick()
    {
        PreciseThread.RemoveTimerSlack();
        var next = PreciseThread.Now;
        while (!_isStopping)
        {
            next += Interval;
            PreciseThread.SleepUntil(next);
            var now = PreciseThread.Now;
            var late = now - next;
            _ticks++;
            if (late > 5 * Interval) _late++;
            if (late > _mostLate) Volatile.Write(ref _mostLate, late);
            if (late > Interval) next = now; // one delay is one late tick, not many
        }
    }
}
