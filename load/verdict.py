"""Three-valued verdicts on a bound: kept, refuted, or inconclusive with what would decide.

A bound says that a share q of arrivals is served within b seconds. A miss is an arrival that was not: it took
longer, or it got no good answer at all (then it is infinitely late). Among n independent arrivals the number of
misses is binomial. With confidence c

- kept:    the true share of misses is at most 1 - q: so few misses have a chance of at most 1 - c otherwise;
- refuted: the true share of misses is above 1 - q: so many misses have a chance of at most 1 - c otherwise.

Both are one-sided exact binomial tests, and the same as comparing b with the distribution-free confidence bounds
of the quantile (core/quantile.py). Zero misses in 59 certify a p95 at 95 %, in 299 a p99; this is the arithmetic of
MLPerf's early stopping (https://github.com/mlcommons/inference_policies).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testcard.core.quantile import at_most, lower_rank, quantile, upper_rank

KEPT = "kept"
REFUTED = "refuted"
INCONCLUSIVE = "inconclusive"

MOST_SAMPLES = 200_000
"""Further samples beyond which no number is given: the share of misses is too close to what is allowed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What samples say about a bound."""

    word: str
    """`kept`, `refuted` or `inconclusive`."""
    samples: int
    misses: int
    unknown: int
    """Arrivals of which nothing is known; they are held against either verdict."""
    estimate_s: float | None
    """The sample quantile; None where it falls among arrivals without a good answer, or there are none."""
    lower_s: float | None
    upper_s: float | None
    """One-sided confidence bounds of the quantile; None: open."""
    further: int | None
    """Samples that would decide if the share of misses stays as it is; None: none are needed, or too many."""


def certifies(n: int, misses: int, q: float, confidence: float) -> bool:
    """Whether so few misses among n show that a share q is within the bound."""
    return n > 0 and at_most(misses, n, 1.0 - q) <= 1.0 - confidence


def refutes(n: int, misses: int, q: float, confidence: float) -> bool:
    """Whether so many misses among n show that less than a share q is within the bound."""
    return n > 0 and misses > 0 and at_most(n - misses, n, q) <= 1.0 - confidence


def further_samples(n: int, misses: int, q: float, confidence: float) -> int | None:
    """How many more samples would decide, if the share of misses stays as it is; None: more than MOST_SAMPLES."""
    share = misses / n if n else 0.0

    def decided(total: int) -> bool:
        # Rounded against the verdict that is hoped for: a promise of "59 more" must hold.
        expected = share * total
        few, many = math.ceil(expected - 1e-9), math.floor(expected + 1e-9)
        return certifies(total, few, q, confidence) or refutes(total, many, q, confidence)

    return fewest_more(n, decided)


def fewest_more(n: int, decided: Callable[[int], bool]) -> int | None:
    """How many more samples than n it takes until enough is decided; None: more than MOST_SAMPLES."""
    step = 1
    while not decided(n + step):
        step *= 2
        if step > MOST_SAMPLES:
            return None
    low, high = n + step // 2, n + step
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle + 1, high)
    return high - n


def decide(
    latencies: Sequence[float], failed: int, unknown: int, *, q: float, bound_s: float, confidence: float
) -> Verdict:
    """The verdict on a bound.

    Args:
        latencies: seconds, of arrivals that got a good answer, in any order.
        failed: arrivals that got none: infinitely late.
        unknown: arrivals of which nothing is known (dropped by us, or lost with their worker): counted as
            infinitely late where that speaks against `kept`, and as in time where that speaks against `refuted`.
    """
    ordered = sorted(latencies)
    n = len(ordered) + failed + unknown
    misses = failed + sum(1 for latency in reversed(ordered) if latency > bound_s)
    if certifies(n, misses + unknown, q, confidence):
        word = KEPT
    elif refutes(n, misses, q, confidence):
        word = REFUTED
    else:
        word = INCONCLUSIVE
    late = ordered + [math.inf] * (failed + unknown)
    early = [0.0] * unknown + ordered + [math.inf] * failed
    return Verdict(
        word=word,
        samples=n,
        misses=misses,
        unknown=unknown,
        estimate_s=_finite(quantile(late, q)) if n else None,
        lower_s=_at(early, lower_rank(n, q, confidence)),
        upper_s=_at(late, upper_rank(n, q, confidence)),
        further=further_samples(n, misses, q, confidence) if word == INCONCLUSIVE else None,
    )


def _at(ordered: Sequence[float], rank: int | None) -> float | None:
    return None if rank is None else _finite(ordered[rank - 1])


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
