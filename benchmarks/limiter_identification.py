"""How often a limiter is identified from outside: hundreds of drawn limiters, in virtual time, statuses and times only.

    python benchmarks/limiter_identification.py --seeds 21-22 --count 207            # 10 requests a minute
    python benchmarks/limiter_identification.py --rate 60 --count 99
    python benchmarks/limiter_identification.py --kinds unknown                      # kinds that a gateway seldom has
    python benchmarks/limiter_identification.py --kinds refusals                     # where refused requests count
    python benchmarks/limiter_identification.py --window 60 --headers early,late     # how well a lie is measured
    python benchmarks/limiter_identification.py --only rolling --first 90 --save part.jsonl
    python benchmarks/limiter_identification.py --read part.jsonl other.jsonl        # slices, told together

The limiters are those of tests/drawn_limiters.py, which shares no code with the fit. Prints each miss, the shares
that are right, and the tables of confusions.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from drawn_limiters import HEADERS, KNOWN, LIARS, RECOGNISED, REFUSALS, UNKNOWN, Network, draw
from testcard.core.target import Limit
from testcard.load.ratelimit import Bounds, Identification, Observation

_SURE = 0.95
_REFUSING = 3
"""Fewer refusals than this leave nothing to judge Retry-After by."""
_NEAR, _NEAR_S = 0.05, 1.0
_KINDS = {"known": KNOWN, "unknown": UNKNOWN, "refusals": REFUSALS}


@dataclass(frozen=True)
class Draw:
    """Which limiters are drawn."""

    rate: int
    names: tuple[str, ...]
    headers: tuple[str, ...]
    window_s: float | None


@dataclass(frozen=True)
class Result:
    """One limiter and what was made of it."""

    seed: int
    number: int
    truth: str
    kind: str
    fitted: str
    said: str
    confidence: float
    kind_right: bool
    limit_right: bool
    window_right: bool
    refusals: int
    header: str
    heard: str
    """What Retry-After should be judged as."""
    verdict: str
    ratio: float | None
    """Promised over true wait, as it was found."""
    true_ratio: float | None
    error_s: float | None
    """Promised minus true wait, the median, as it was found."""
    true_error_s: float | None
    requests: int
    minutes: float
    cpu_s: float

    @property
    def measured(self) -> bool:
        """Whether what a lie amounts to was found within 5 % or 1 s."""
        if self.ratio is None or self.true_ratio is None or self.error_s is None or self.true_error_s is None:
            return False
        return abs(self.ratio / self.true_ratio - 1) <= _NEAR or abs(self.error_s - self.true_error_s) <= _NEAR_S


def identify(which: tuple[int, int], *, drawn: Draw) -> Result:
    """Identify one drawn limiter in virtual time, within six times the limit and twelve minutes."""
    seed, number = which
    truth = draw(number, rpm=drawn.rate, names=drawn.names, seed=seed, window_s=drawn.window_s, headers=drawn.headers)
    network = Network(truth, number)
    identification = Identification(Limit(drawn.rate, 60.0), Bounds(6 * drawn.rate, 720.0), seed=number)
    now, begun, promised = 0.0, time.process_time(), []
    while (probe := identification.next(now)) is not None:
        answers = list(network.send(max(now, probe.at_s), probe.count))
        identification.add(
            [Observation(one.sent, one.answered, one.admitted, one.promised, one.by_date) for one in answers]
        )
        promised += [(one.promised, one.waits) for one in answers if one.promised is not None and one.waits is not None]
        now = max(one.answered for one in answers) + 0.01
    fitted, (honesty, _) = identification.verdict(), identification.honesty()
    name, counts = RECOGNISED.get(truth.kind, (truth.kind, None))
    waited = sum(wait for _, wait in promised)
    recognised = fitted.kind == name and fitted.refusals_count in (counts, None)
    spared = truth.kind not in KNOWN and fitted.kind == "unexplained"
    return Result(
        seed=seed,
        number=number,
        truth=str(truth),
        kind=truth.kind,
        fitted=fitted.kind,
        said=str(fitted),
        confidence=fitted.confidence,
        kind_right=spared or (recognised if truth.kind in RECOGNISED else fitted.kind == truth.kind),
        limit_right=truth.right_limit(fitted.limit.value if fitted.limit else None),
        window_right=truth.right_window(fitted.window_s.value if fitted.window_s else None),
        refusals=honesty.refusals,
        header=truth.header,
        heard="honest" if promised and all(_kept(*one) for one in promised) else truth.heard,
        verdict=honesty.verdict,
        ratio=honesty.ratio,
        true_ratio=sum(said for said, _ in promised) / waited
        if (waited := sum(wait for _, wait in promised))
        else None,
        error_s=honesty.error_s,
        true_error_s=median(said - wait for said, wait in promised) if promised else None,
        requests=identification.sent,
        minutes=now / 60,
        cpu_s=time.process_time() - begun,
    )


def _kept(promised_s: float, wait_s: float) -> bool:
    """Whether a promise is the truth in whole seconds: a quarter of a wait below a second is 1, as the truth is."""
    return 0 <= promised_s - wait_s <= 1


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=207, help="numbers of each seed")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", default="0", help="a seed, or 21-24")
    parser.add_argument("--rate", type=int, default=10, help="requests a minute that are advertised")
    parser.add_argument("--kinds", choices=tuple(_KINDS), default="known")
    parser.add_argument("--only", help="one kind: the numbers of others are passed over")
    parser.add_argument("--headers", default=",".join(LIARS), help=f"of {', '.join(HEADERS)}")
    parser.add_argument("--window", type=float, help="seconds; drawn where it is not given")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--save", type=Path, help="append the results to a file")
    parser.add_argument("--read", type=Path, nargs="+", help="tell the results of files, identify nothing")
    chosen = parser.parse_args()
    if chosen.read:
        tell([Result(**json.loads(line)) for path in chosen.read for line in path.read_text().splitlines()])
        return
    names = _KINDS[chosen.kinds]
    drawn = Draw(chosen.rate, names, tuple(chosen.headers.split(",")), chosen.window)
    low, _, high = chosen.seeds.partition("-")
    which = [
        (seed, number)
        for seed in range(int(low), int(high or low) + 1)
        for number in range(chosen.first, chosen.first + chosen.count)
        if chosen.only in (None, names[number % len(names)])
    ]
    tell(list(_saved(_identified(which, drawn, chosen.processes), chosen.save)))


def _identified(which: Sequence[tuple[int, int]], drawn: Draw, processes: int) -> Iterator[Result]:
    if processes == 1:
        yield from (identify(one, drawn=drawn) for one in which)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(partial(identify, drawn=drawn), which, chunksize=4)


def _saved(results: Iterable[Result], path: Path | None) -> Iterator[Result]:
    for result in results:
        if path is not None:
            with path.open("a") as file:
                file.write(json.dumps(asdict(result)) + "\n")
        yield result


def tell(results: Sequence[Result]) -> None:
    for result in results:
        if not (result.kind_right and result.limit_right and result.window_right):
            print(f"  {result.seed} {result.number} {result.truth}\n    {result.said}")
    right = [result for result in results if result.kind_right]
    sure = [result for result in results if result.confidence >= _SURE]
    print(f"{len(results)} limiters")
    print(f"  kind right             {_share(results, lambda one: one.kind_right)}")
    print(f"  limit within 5 %       {_share(results, lambda one: one.limit_right)}")
    print(f"  window within 5 %      {_share(right, lambda one: one.window_right)} of those")
    print(f"  stated at 0.95, right  {_share(sure, lambda one: one.kind_right)}")
    headers = [one for one in results if one.verdict != "not-judged" and one.refusals >= _REFUSING]
    print(f"  Retry-After right      {_share(headers, lambda one: one.verdict == one.heard)}")
    lies = [one for one in headers if one.header in ("early", "late")]
    print(f"  early, late measured   {_share(lies, lambda one: one.measured)}, within 5 % or 1 s")
    requests, minutes = [one.requests for one in results], [one.minutes for one in results]
    print(f"  requests               median {median(requests):.0f}, most {max(requests)}")
    print(f"  virtual minutes        median {median(minutes):.1f}, most {max(minutes):.1f}")
    print(f"  CPU seconds            median {median(one.cpu_s for one in results):.2f}")
    print("true kind → identified as")
    for (true, said), count in sorted(Counter((one.kind, one.fitted) for one in results).items()):
        print(f"  {true:18} {said:18} {count}")
    print("Retry-After → judged as")
    for (true, said), count in sorted(Counter((one.header, one.verdict) for one in headers).items()):
        print(f"  {true:18} {said:18} {count}")


def _share(results: Sequence[Result], right: Callable[[Result], bool]) -> str:
    part, whole = sum(map(right, results)), len(results)
    return f"{part}/{whole} = {part / whole:.1%}" if whole else "0/0"


if __name__ == "__main__":
    main()
