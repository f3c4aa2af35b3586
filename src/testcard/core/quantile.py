"""Exact quantiles and how far they can be trusted: order statistics, with bounds from the binomial.

A quantile here is the smallest sample that at least that share of the samples does not exceed: the order
statistic of rank ceil(n q), definition 1 of Hyndman and Fan (Sample Quantiles in Statistical Packages, 1996).
It is always one of the samples; nothing is interpolated, rounded or binned.

The bounds assume nothing about the distribution, only that samples are independent: the number of samples
below the true quantile is binomial (David and Nagaraja, Order Statistics, 3rd edition, section 7.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

REPORTED: dict[str, float] = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
"""The quantiles that every table shows, by their names."""


def rank(n: int, q: float) -> int:
    """The rank (from 1) of the q-quantile among n samples."""
    # 0.07 * 100 is 7.000000000000001 in floating point; the decimal that was written is meant.
    return max(1, math.ceil(n * Fraction(str(q))))


def quantile(ordered: Sequence[float], q: float) -> float:
    """The q-quantile of ascending samples.

    Raises:
        ValueError: there are no samples.
    """
    if not ordered:
        raise ValueError("no samples, no quantile")
    return ordered[rank(len(ordered), q) - 1]


def quantiles(samples: Sequence[float]) -> dict[str, float]:
    """The reported quantiles and the maximum, by name; {} where there are no samples."""
    if not samples:
        return {}
    ordered = sorted(samples)
    return {name: quantile(ordered, q) for name, q in REPORTED.items()} | {"max": ordered[-1]}


def interval(ordered: Sequence[float], q: float, confidence: float) -> tuple[float | None, float | None]:
    """One-sided confidence bounds of the q-quantile of ascending samples, below and above; None: open."""
    lower, upper = (find(len(ordered), q, confidence) for find in (lower_rank, upper_rank))
    return (
        None if lower is None else ordered[lower - 1],
        None if upper is None else ordered[upper - 1],
    )


def at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) for X binomial(n, p): exact up to rounding, in about sqrt(n) steps."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    if k > n * p:  # the smaller tail is the one that is summed
        return 1.0 - at_most(n - k - 1, n, 1.0 - p)
    log_term = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term = math.exp(log_term + k * math.log(p) + (n - k) * math.log1p(-p))
    total = term
    odds = (1.0 - p) / p
    while k > 0 and term > total * 1e-17:
        term *= k / (n - k + 1) * odds
        k -= 1
        total += term
    return min(1.0, total)


def upper_rank(n: int, q: float, confidence: float) -> int | None:
    """The smallest rank whose sample is, with that confidence, no less than the true q-quantile; None: no sample is."""
    return _smallest(n, lambda r: at_most(r - 1, n, q) >= confidence)


def lower_rank(n: int, q: float, confidence: float) -> int | None:
    """The largest rank whose sample is, with that confidence, no more than the true q-quantile; None: no sample is."""
    above = _smallest(n, lambda r: at_most(r - 1, n, q) > 1.0 - confidence)
    last = n if above is None else above - 1
    return last if last >= 1 else None


def _smallest(n: int, holds: Callable[[int], bool]) -> int | None:
    """The smallest r in 1..n for which a monotone condition holds."""
    low, high = 1, n + 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low if low <= n else None
