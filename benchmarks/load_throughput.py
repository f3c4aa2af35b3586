"""How many answers a second one core takes: asked for, received, judged and recorded.

    python benchmarks/load_throughput.py [--repeat 3] [--seconds 8] [--only tiny|pictures]

What is counted is CPU time: of the parent, the worker and the judging process together, over a load at a constant
rate; its inverse is answers a second and core. Beside it, in the same minute and against the same server,
a bare FastHttpUser loop that looks at nothing, in two ways. One asks again at once: each waking of its process then
finds several answers, and none is for a clock; that is the bar. One keeps the same rate as the load, so that
both are woken as often: what a waking costs (20 to 30 us on a virtual machine that is otherwise idle) is in both, and
the difference is what the two do. A load that is saturated itself is no third way: it would be late, and certify
nothing. Machines differ, and change from minute to minute: the ratios count.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from loading import bare_locust, load, serving, spread


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked for, and how often."""

    name: str
    picture_bytes: int
    rate_per_s: float
    users: int


CASES = (Case("tiny", 600, 2000.0, 10), Case("pictures", 1_500_000, 100.0, 8))


def measure(case: Case, repeat: int, seconds: float) -> None:
    """Print the rows of a case."""
    ours, bares, paced, ratios, alike = [], [], [], [], []
    parts: dict[str, list[float]] = {}
    for _ in range(repeat):
        with serving(case.picture_bytes) as served:
            bare = bare_locust(served.port, users=case.users, duration_s=seconds)
            same = bare_locust(served.port, users=2 * case.users, duration_s=seconds, rate_per_s=case.rate_per_s)
            loaded = load(
                served.target, rate_per_s=case.rate_per_s, duration_s=seconds, warmup_s=0.0, arrivals="constant"
            )
            invalid = {name: count for name, count in loaded.summary.outcomes.items() if name != "valid" and count}
            if invalid:
                raise SystemExit(f"not what was to be measured: {invalid}")
            answer_bytes = served.answer_bytes
        ours.append(loaded.meter.cpu_s_per_arrival())
        bares.append(bare.cpu_s / bare.requests)
        paced.append(same.cpu_s / same.requests)
        ratios.append(bares[-1] / ours[-1])
        alike.append(paced[-1] / ours[-1])
        for kind, spent in loaded.meter.cpu_s_by_process().items():
            parts.setdefault(kind, []).append(spent)

    def cost(value: float) -> str:
        return f"{value * 1e6:,.0f} us = {1 / value:,.0f}/s"

    print(f"{case.name}, answers of {answer_bytes:,} bytes, {case.rate_per_s:g}/s, {repeat} repetitions;")
    print("  CPU time (user + system) per answer, its inverse per core: median (lowest to highest)")
    print(f"  testcard, all of its processes      {spread(ours, cost)}")
    for kind, spent in parts.items():
        print(f"    {kind:<33} {spread(spent, cost)}")
    print(f"  bare FastHttpUser, looks at nothing {spread(bares, cost)}")
    print(f"    at the same rate                  {spread(paced, cost)}")
    print(f"  ratio, answers per core             {spread(ratios, '{:.2f}'.format)}")
    print(f"    at the same rate                  {spread(alike, '{:.2f}'.format)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--only", choices=[case.name for case in CASES])
    options = parser.parse_args()
    for case in CASES:
        if options.only in (None, case.name):
            measure(case, options.repeat, options.seconds)


if __name__ == "__main__":
    main()
