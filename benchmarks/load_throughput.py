"""How many answers a second one core takes: asked for, received, judged and recorded.

    python benchmarks/load_throughput.py [--repeat 3] [--seconds 8] [--only tiny|pictures] [--aiperf PATH]

What is counted is CPU time: of the parent, the worker and the judging process together, over a load at a constant
rate; its inverse is answers a second and core. Beside it, in the same minute and against the same server, a bare
FastHttpUser loop that looks at nothing, in two ways. One asks again at once: each waking of its process then finds
several answers, and none is for a clock; that is the bar. One keeps the same rate as the load, so that both are woken
as often: what a waking costs (20 us and more on an idle virtual machine) is in both, and the difference
is what the two do.

A load has several rates, since an answer costs the less the more of them come together; one that is late, or short of
CPU, certifies nothing, and its `validity` stands beside. Machines differ, and change from minute to minute: the ratios
count. With --aiperf also AIPerf, which parses the answers and verifies none (aiperf.py).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiperf import aiperf_cpu_s
from loading import Served, bare_locust, load, serving, spread


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked for, and how often."""

    name: str
    picture_bytes: int
    rates_per_s: tuple[float, ...]
    users: int
    aiperf_per_s: float
    """What AIPerf can keep up with on one core."""


CASES = (
    Case("tiny", 600, (1000.0, 2000.0, 5000.0, 8000.0, 10_000.0), 10, 100.0),
    Case("pictures", 1_500_000, (100.0, 200.0), 8, 20.0),
)


@dataclass(slots=True)
class Row:
    """CPU seconds per answer at one rate, each repetition's."""

    ours: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=dict)
    paced: list[float] = field(default_factory=list)
    against_bare: list[float] = field(default_factory=list)
    against_paced: list[float] = field(default_factory=list)
    validity: Counter[str] = field(default_factory=Counter)


def one(served: Served, row: Row, rate: float, bare: float, *, users: int, seconds: float) -> None:
    """One repetition of one rate."""
    paced = bare_locust(served.port, users=2 * users, duration_s=seconds, rate_per_s=rate)
    loaded = load(served.target, rate_per_s=rate, duration_s=seconds, warmup_s=0.0, arrivals="constant")
    wrong = {name: count for name, count in loaded.summary.outcomes.items() if name != "valid" and count}
    if wrong:
        raise SystemExit(f"not what was to be measured: {wrong}")
    row.ours.append(loaded.meter.cpu_s_per_arrival())
    row.paced.append(paced.cpu_s / paced.requests)
    row.against_bare.append(bare / row.ours[-1])
    row.against_paced.append(row.paced[-1] / row.ours[-1])
    row.validity[loaded.summary.validity] += 1
    for kind, spent in loaded.meter.cpu_s_by_process().items():
        row.parts.setdefault(kind, []).append(spent)


def measure(case: Case, repeat: int, seconds: float, executable: Path | None) -> None:
    """Print the rows of a case."""
    rows = {rate: Row() for rate in case.rates_per_s}
    bares, others = list[float](), list[float]()
    for _ in range(repeat):
        with serving(case.picture_bytes) as served:
            bare = bare_locust(served.port, users=case.users, duration_s=seconds)
            bares.append(bare.cpu_s / bare.requests)
            for rate, row in rows.items():
                one(served, row, rate, bares[-1], users=case.users, seconds=seconds)
            if executable is not None:
                count = int(3 * seconds * case.aiperf_per_s)
                others.append(aiperf_cpu_s(executable, served.port, rate_per_s=case.aiperf_per_s, requests=count))
            answer_bytes = served.answer_bytes

    print(f"{case.name}, answers of {answer_bytes:,} bytes, {repeat} repetitions of {seconds:g} s;")
    print("  CPU time (user + system) per answer, its inverse per core: median (lowest to highest)")
    print(f"  bare FastHttpUser, looks at nothing     {cost(bares)}")
    if others:
        print(f"  AIPerf, looks at no picture, {case.aiperf_per_s:g}/s      {cost(others)}")
    for rate, row in rows.items():
        validity = ", ".join(f"{name} {count}" for name, count in row.validity.items())
        print(f"  testcard at {rate:g}/s, all processes     {cost(row.ours)}   ({validity})")
        for kind, spent in row.parts.items():
            print(f"    {kind:<35} {cost(spent)}")
        print(f"    bare FastHttpUser at that rate      {cost(row.paced)}")
        print(f"    ratio, answers per core: to the bare loop {spread(row.against_bare, '{:.2f}'.format)}, "
              f"at that rate {spread(row.against_paced, '{:.2f}'.format)}", flush=True)  # fmt: skip


def cost(values: Sequence[float]) -> str:
    return spread(values, lambda value: f"{value * 1e6:,.0f} us = {1 / value:,.0f}/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--only", choices=[case.name for case in CASES])
    parser.add_argument("--aiperf", type=Path, metavar="PATH", help="AIPerf's command, in an environment of its own")
    options = parser.parse_args()
    for case in CASES:
        if options.only in (None, case.name):
            measure(case, options.repeat, options.seconds, options.aiperf)


if __name__ == "__main__":
    main()
