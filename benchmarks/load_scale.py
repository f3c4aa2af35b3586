"""Does a load cost the same per arrival with two workers, and when it is long? Does memory stay bounded?

    python benchmarks/load_scale.py [--rate 500] [--short 20000] [--long 100000] [--repeat 3]

CPU time per arrival of all processes together: with two workers against one, which share that one's rate or have its
rate each. Then of a long run against one of a fifth of its length, one after the other, in pairs: the whole of each,
and within the long one its last fifth against its first. Both ratios are 1 where an arrival costs the same however long
the run has been going on. Last the largest memory of parent, worker and judging process, each with what it shares (a
worker and its judging process share the answers that are waiting), and the time that it takes to draw the conclusions.
"""

from __future__ import annotations

import argparse

from loading import Loaded, load, serving, spread

from testcard.core.target import Target


def one(target: Target, rate: float, count: int, processes: int) -> Loaded:
    """A load of so many arrivals."""
    return load(
        target, keep=False, rate_per_s=rate, duration_s=count / rate, warmup_s=0.0, arrivals="constant",
        processes=processes,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--short", type=int, default=20_000)
    parser.add_argument("--long", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with serving(600) as served:
        target = served.target
        shared, each, costs = [], [], []
        for _ in range(options.repeat):
            alone, both, twice = (
                one(target, options.rate * times, options.short // 4 * times, processes).meter.cpu_s_per_arrival()
                for times, processes in ((1, 1), (1, 2), (2, 2))
            )
            costs.append(alone * 1e6)
            shared.append(both / alone)
            each.append(twice / alone)
        print(f"CPU time per arrival, one worker: {spread(costs, '{:.0f} us'.format)}")
        print(f"two workers at the same rate together: {spread(shared, '{:.2f}'.format)} times")
        print(f"two workers at that rate each: {spread(each, '{:.2f}'.format)} times", flush=True)
        longer, later = [], []
        for _ in range(options.repeat):
            short, long = (one(target, options.rate, count, 1) for count in (options.short, options.long))
            longer.append(long.meter.cpu_s_per_arrival() / short.meter.cpu_s_per_arrival())
            first, last = _fifths(long)
            later.append(last / first)
    times = options.long / options.short
    print(f"a run {times:g} times as long: {spread(longer, '{:.2f}'.format)} times the CPU time per arrival")
    print(f"its last fifth against its first: {spread(later, '{:.2f}'.format)} times, {last:.0f} us at the end")
    for name, loaded in (("short", short), ("long", long)):
        arrivals, seen = loaded.summary.arrivals, loaded.meter.peak_rss
        memory = ", ".join(f"{kind} {size / 2**20:.0f} MB" for kind, size in sorted(seen.items()))
        counts = ", ".join(f"{arrivals[word]} {word}" for word in ("planned", "answered", "lost"))
        print(f"{name}: {counts}; {memory}")
        print(f"  conclusions: {loaded.conclude_s:.1f} s")


def _fifths(loaded: Loaded) -> tuple[float, float]:
    """CPU time per arrival in the first and in the last fifth of a run's arrivals, microseconds; looks are taken by
    arrivals and not by time, since what waits for judging is judged after the last was sent."""
    seen = loaded.meter.seen
    total = seen[-1][0]

    def by(share: float) -> tuple[int, float]:
        done, cpu = min(seen, key=lambda look: abs(look[0] - share * total))
        return done, sum(cpu.values())

    def each(begin: tuple[int, float], end: tuple[int, float]) -> float:
        return (end[1] - begin[1]) / max(1, end[0] - begin[0]) * 1e6

    return each(by(0.0), by(0.2)), each(by(0.8), by(1.0))


if __name__ == "__main__":
    main()
