"""The share of a population that a binomial count speaks of, with exact one-sided confidence bounds.

Clopper and Pearson, The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial (1934): the
bounds are those shares at which a count so small, or so large, has a chance of 1 - confidence.
"""

from __future__ import annotations

from testcard.core.quantile import at_most

_HALVINGS = 50  # to a part in 10**15


def share_at_most(count: int, n: int, confidence: float) -> float:
    """The upper bound of the share; 1 where nothing was counted."""
    if n <= 0 or count >= n:
        return 1.0
    low, high = count / n, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(count, n, middle) > 1.0 - confidence else (low, middle)
    return high


def share_at_least(count: int, n: int, confidence: float) -> float:
    """The lower bound of the share; 0 where nothing was counted."""
    return 0.0 if n <= 0 or count <= 0 else 1.0 - share_at_most(n - count, n, confidence)
