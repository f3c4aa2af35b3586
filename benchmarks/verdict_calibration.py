"""Are verdicts as sure as they say? Simulated runs whose true quantile is known, at the very edge of the bound.

    python benchmarks/verdict_calibration.py

A row is a distribution, a quantile and a number of arrivals. Wrongly certified: the bound is a hair below the true
quantile, so that any `kept` is wrong. Wrongly refuted: the bound is the true quantile, so that any `refuted` is. Beside
the share of the simulated runs stands the exact one, from the binomial. Both have to be at most what 95 % confidence
allows; the simulated share but for chance, three standard deviations of it.

The last rows are no independent arrivals: late ones come in stretches, a hair more of them than is allowed, so that
any `kept` is wrong. `plain` is the verdict without the look at the order of arrival, `allowing` the one that testcard
gives; `unseen` are the runs without a single late arrival, in which nothing can tell, and which certify whatever is
done. Beyond those at most 5 % may be certified wrongly. Then what that costs independent arrivals: certificates that
hold.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from testcard.core.quantile import at_most
from testcard.load.independence import dependence, discount
from testcard.load.verdict import KEPT, REFUTED, certifies, decide, refutes

CONFIDENCE = 0.95
_HAIR = 1e-9
_OVER = 0.0501
_LENGTHS = (600, 2000, 6000)


@dataclass(frozen=True, slots=True)
class Case:
    """A distribution by its inverse, and what is asked of it."""

    name: str
    inverse: Callable[[float], float]
    q: float
    n: int
    reach: float | None = None
    """Of a discrete one: the share within the value below its quantile."""


def _lognormal(share: float) -> float:
    return 0.2 * math.exp(0.5 * NormalDist().inv_cdf(min(max(share, 1e-12), 1 - 1e-12)))


def _pareto(share: float) -> float:
    return 0.1 * (1 - share) ** (-1 / 1.1)  # no variance, and hardly a mean


def _steps(share: float) -> float:
    return next(
        value for value, upto in ((0.1, 0.5), (0.2, 0.9), (0.4, 0.94), (0.8, 0.95), (1.6, 2.0)) if share <= upto
    )


CASES = (
    Case("lognormal", _lognormal, 0.95, 59),
    Case("lognormal", _lognormal, 0.95, 400),
    Case("lognormal", _lognormal, 0.99, 1000),
    Case("lognormal", _lognormal, 0.50, 100),
    Case("Pareto, shape 1.1", _pareto, 0.95, 300),
    Case("Pareto, shape 1.1", _pareto, 0.99, 700),
    Case("five values", _steps, 0.95, 300, reach=0.94),
    Case("five values", _steps, 0.95, 1000, reach=0.94),
)


def simulate(case: Case, runs: int, dice: random.Random) -> tuple[float, float]:
    """The shares of runs that are wrongly certified, and wrongly refuted."""
    true = case.inverse(case.q)
    below = case.inverse(case.reach) if case.reach is not None else case.inverse(case.q - _HAIR)
    kept = refuted = 0
    for _ in range(runs):
        spans = [case.inverse(dice.random()) for _ in range(case.n)]
        kept += verdict(spans, case.q, below) == KEPT
        refuted += verdict(spans, case.q, true) == REFUTED
    return kept / runs, refuted / runs


def verdict(spans: list[float], q: float, bound_s: float, *, plain: bool = False) -> str:
    """What testcard says of these arrivals."""
    found = decide(spans, 0, 0, q=q, bound_s=bound_s, confidence=CONFIDENCE)
    if plain:
        return found.word
    return discount(found, dependence(spans, q=q, bound_s=bound_s), q=q, confidence=CONFIDENCE).word


def exact(case: Case) -> tuple[float, float]:
    """The same, from the binomial."""
    within = case.reach if case.reach is not None else case.q
    most = max((k for k in range(case.n + 1) if certifies(case.n, k, case.q, CONFIDENCE)), default=-1)
    fewest = next((k for k in range(case.n + 1) if refutes(case.n, k, case.q, CONFIDENCE)), case.n + 1)
    return at_most(most, case.n, 1 - within), 1 - at_most(fewest - 1, case.n, 1 - case.q)


def stretches(dice: random.Random, n: int, share: float, mean: float) -> list[float]:
    """Arrivals of which a share is late, in stretches of a mean length, geometric."""
    late, found = dice.random() < share, []
    for _ in range(n):
        found.append(2.0 if late else 0.1)
        late = dice.random() >= 1 / mean if late else dice.random() < share / (1 - share) / mean
    return found


def alike(dice: random.Random, n: int, share: float, mean: float) -> list[float]:
    """The same, every stretch of that length."""
    found: list[float] = []
    begin = dice.randrange(1 + int(20 * mean / share))
    while len(found) < n + begin:
        found += [0.1] * round(dice.expovariate(share / (1 - share) / mean)) + [2.0] * int(mean)
    return found[begin : begin + n]


def mottled(dice: random.Random, n: int, share: float, mean: float) -> list[float]:
    """The same, twice as long, and half of a stretch in time."""
    return [span if dice.random() < 0.5 else 0.1 for span in stretches(dice, n, 2 * share, 2 * mean)]


def print_together(runs: int, dice: random.Random) -> int:
    """The rows of arrivals that are late together; returns how many shares are above what is allowed."""
    print("\nWrongly certified, p95 at 95 %, late in stretches: plain, allowing (unseen)")
    print(f"{'':<12}{'mean length':>12}" + "".join(f"{f'{n:,} arrivals':>26}" for n in _LENGTHS))
    above = 0
    for name, kind in (("geometric", stretches), ("alike", alike), ("half in time", mottled)):
        for mean in (3.0, 10.0, 30.0, 100.0):
            row = f"{name:<12}{mean:>12g}"
            for n in _LENGTHS:
                drawn = [kind(dice, n, _OVER, mean) for _ in range(runs)]
                plain = sum(verdict(run, 0.95, 1.0, plain=True) == KEPT for run in drawn) / runs
                allowing = sum(verdict(run, 0.95, 1.0) == KEPT for run in drawn) / runs
                unseen = sum(max(run) <= 1.0 for run in drawn) / runs
                above += allowing - unseen > (1 - CONFIDENCE) + 3 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / runs)
                row += f"{f'{plain:.1%}, {allowing:.1%} ({unseen:.1%})':>26}"
            print(row, flush=True)
    return above


def print_power(runs: int, dice: random.Random) -> None:
    """What the look at the order of arrival costs where there is nothing to see."""
    print("\nRightly certified, independent arrivals, p95 at 95 %: plain, allowing")
    print(f"{'late':<24}" + "".join(f"{f'{n:,} arrivals':>26}" for n in _LENGTHS))
    for share in (0.01, 0.02, 0.03, 0.035):
        row = f"{share:<24.1%}"
        for n in _LENGTHS:
            drawn = [[2.0 if dice.random() < share else 0.1 for _ in range(n)] for _ in range(runs)]
            cells = [
                sum(verdict(run, 0.95, 1.0, plain=plain) == KEPT for run in drawn) / runs for plain in (True, False)
            ]
            row += f"{', '.join(f'{cell:.1%}' for cell in cells):>26}"
        print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    allowed = 1 - CONFIDENCE
    wrong = 0
    print(f"{options.runs} runs a row; wrong verdicts at {CONFIDENCE:.0%} confidence: simulated (exact)\n")
    print(f"{'distribution':<20}{'quantile':>9}{'arrivals':>10}{'certified':>18}{'refuted':>18}")
    for case in CASES:
        seen, known = simulate(case, options.runs, dice), exact(case)
        cells = "".join(f"{f'{share:.1%} ({truth:.1%})':>18}" for share, truth in zip(seen, known, strict=True))
        print(f"{case.name:<20}{f'p{case.q * 100:g}':>9}{case.n:>10}{cells}")
        for share, truth in zip(seen, known, strict=True):
            chance = 3 * math.sqrt(truth * (1 - truth) / options.runs)
            wrong += truth > allowed + 1e-9 or share > min(truth, allowed) + chance
    wrong += print_together(options.runs, dice)
    print_power(options.runs, dice)
    print(f"\n{wrong} shares are above what is allowed")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
