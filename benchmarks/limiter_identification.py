"""How often a limiter is identified from outside: hundreds of drawn limiters, in virtual time, statuses and times only.

    python benchmarks/limiter_identification.py --count 207            # 10 requests a minute
    python benchmarks/limiter_identification.py --count 99 --rpm 60
    python benchmarks/limiter_identification.py --count 100 --unknown  # kinds that a gateway seldom has

The limiters are those of tests/wild_limiters.py, which shares no code with the fit. Prints each miss, the shares
that are right, and the table of confusions.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from testcard.core.target import Limit
from testcard.load.ratelimit import Bounds, Fitted, Honesty, Identification, Observation
from wild_limiters import KNOWN, UNKNOWN, Network, Truth, draw

_SURE = 0.95
_REFUSING = 3
"""Fewer refusals than this leave nothing to judge Retry-After by."""


@dataclass(frozen=True)
class Result:
    """One limiter and what was made of it."""

    number: int
    truth: Truth
    fitted: Fitted
    honesty: Honesty
    requests: int
    minutes: float
    cpu_s: float

    @property
    def kind_right(self) -> bool:
        if self.truth.kind in UNKNOWN:
            return self.fitted.kind in (self.truth.kind, "unexplained")
        return self.fitted.kind == self.truth.kind

    @property
    def limit_right(self) -> bool:
        return self.truth.right_limit(self.fitted.limit.value if self.fitted.limit else None)

    @property
    def window_right(self) -> bool:
        return self.truth.right_window(self.fitted.window_s.value if self.fitted.window_s else None)


def identify(number: int, rpm: int, names: tuple[str, ...], seed: int = 0) -> Result:
    """Identify one drawn limiter in virtual time, within six times the limit and twelve minutes."""
    truth = draw(number, rpm=rpm, names=names, seed=seed)
    network = Network(truth, number)
    identification = Identification(Limit(rpm, 60.0), Bounds(requests=6 * rpm, seconds=720.0), seed=number)
    now, begun = 0.0, time.process_time()
    while (probe := identification.next(now)) is not None:
        answers = list(network.send(max(now, probe.at_s), probe.count))
        identification.add([Observation(one.sent, one.answered, one.admitted, one.promised) for one in answers])
        now = max(one.answered for one in answers) + 0.01
    fitted, (honesty, _) = identification.verdict(), identification.honesty()
    cpu = time.process_time() - begun
    return Result(number, truth, fitted, honesty, identification.sent, now / 60, cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=207)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rpm", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unknown", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    names = UNKNOWN if chosen.unknown else KNOWN
    numbers = range(chosen.first, chosen.first + chosen.count)
    with ProcessPoolExecutor(chosen.processes) as pool:
        results = list(pool.map(identify, numbers, repeat(chosen.rpm), repeat(names), repeat(chosen.seed), chunksize=4))
    tell(results)


def tell(results: Sequence[Result]) -> None:
    for result in results:
        if not (result.kind_right and result.limit_right and (result.window_right or not result.kind_right)):
            print(f"  {result.number} {result.truth}\n    {result.fitted}")
    right = [result for result in results if result.kind_right]
    sure = [result for result in results if result.fitted.confidence >= _SURE]
    print(f"{len(results)} limiters")
    print(f"  kind right             {_share(len(right), len(results))}")
    print(f"  limit within 5 %       {_share(sum(one.limit_right for one in results), len(results))}")
    print(f"  window within 5 %      {_share(sum(one.window_right for one in right), len(right))} of those")
    print(f"  stated at 0.95, right  {_share(sum(one.kind_right for one in sure), len(sure))}")
    headers = [one for one in results if one.honesty.verdict != "not-judged" and one.honesty.refusals >= _REFUSING]
    print(f"  Retry-After right      {_share(sum(_heard(one) for one in headers), len(headers))}")
    requests, minutes = [one.requests for one in results], [one.minutes for one in results]
    print(f"  requests               median {median(requests):.0f}, most {max(requests)}")
    print(f"  virtual minutes        median {median(minutes):.1f}, most {max(minutes):.1f}")
    print(f"  CPU seconds            median {median(one.cpu_s for one in results):.2f}")
    print("true kind → identified as")
    for (true, said), count in sorted(Counter((one.truth.kind, one.fitted.kind) for one in results).items()):
        print(f"  {true:18} {said:18} {count}")
    print("Retry-After → judged as")
    for (true, said), count in sorted(Counter((one.truth.header, one.honesty.verdict) for one in headers).items()):
        print(f"  {true:18} {said:18} {count}")


def _heard(result: Result) -> bool:
    return result.truth.header == result.honesty.verdict


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} = {part / whole:.1%}" if whole else "0/0"


if __name__ == "__main__":
    main()
