"""Lasting changes in a sequence of runs: a change-point model on ranks.

Every run of an API differs from the one before it; a change is what stays. After each run the sequence since the last
change is split at every place, and the two parts are compared by their ranks (Mann and Whitney 1947). The largest of
the standardised statistics is held against its distribution over all orders of as many runs, since every order is as
likely where nothing changed (a permutation test). That is the change-point model of Hawkins and Deng (A Nonparametric
Change-Point Control Chart, Journal of Quality Technology 42(2), 2010). Runs as the points of a change-point test is
what MongoDB does with E-divisive means (Daly et al., The Use of Change Point Detection to Identify Software Performance
Regressions in a Continuous Integration System, ICPE 2020, https://doi.org/10.1145/3358960.3375791). Ranks are taken
instead of means, since one slow night is no change; and run after run instead of the whole at once, so that a change
which was told stays told when runs are appended.

Whether there is a change, the ranks say; where it began, the two levels that fit the runs best.

What it can see: a change of level, not one of spread. Twelve runs at the least, since fewer have too few orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from statistics import median
from typing import Any

SIGNIFICANCE = 1 / 400
"""Of each look: where nothing changes, a false change comes once in 400 runs at most, on average."""
FEWEST = 12
"""Runs, half of them of either level and none between: of 924 orders of the halves two are as extreme."""
LONGEST = 100
"""Runs that are looked back on; what is older says little about the last ones."""
_LASTING = 3  # runs that a level has at the least
_PLACES = 400_000  # in all orders that are tried; of few runs the most, where chances are coarse
_WORTH_A_TEST = 2.8  # no critical value is lower: of 12 runs it is 2.88, and it rises with their number


def change(values: Sequence[float], least: float) -> int | None:
    """Where the newest value makes a lasting change certain: the index of the first value after it; or None.

    Args:
        values: of the runs since the last change, the oldest first; a figure each, in any unit.
        least: by which share the medians have to differ.
    """
    skipped = max(0, len(values) - LONGEST)
    recent = values[skipped:]
    if len(recent) < FEWEST:
        return None
    extreme = _extreme(recent)
    if extreme < _WORTH_A_TEST or extreme < _critical(len(recent)):
        return None
    split = _place(recent)
    before, after = median(recent[:split]), median(recent[split:])
    return skipped + split if abs(after - before) > least * before else None


def _extreme(values: Sequence[float]) -> float:
    """By how many standard deviations the parts differ, at the split where they differ most."""
    import numpy as np

    return float(_statistics(_ranks(np.asarray(values))[np.newaxis, :]).max())


def _place(values: Sequence[float]) -> int:
    """Where two levels fit best: the least sum of distances from the median of either part.

    The ranks say whether, and say badly where: the few runs after a change weigh little in them.
    """

    def misfit(part: Sequence[float]) -> float:
        middle = median(part)
        return sum(abs(value - middle) for value in part)

    return min(
        range(_LASTING, len(values) - _LASTING + 1), key=lambda split: misfit(values[:split]) + misfit(values[split:])
    )


def _ranks(values: Any) -> Any:
    """From 1; equal values share the mean of theirs."""
    import numpy as np

    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = count.cumsum()
    return ((2 * last - count + 1) / 2)[place.reshape(-1)]


def _statistics(ranks: Any) -> Any:
    """Of each row of ranks and each split: how many standard deviations the rank sum of the part before is off."""
    import numpy as np

    n = ranks.shape[1]
    size = np.arange(1, n)
    off = ranks.cumsum(axis=1)[:, :-1] - size * (n + 1) / 2
    return np.abs(off) / np.sqrt(size * (n - size) * (n + 1) / 12)


@cache
def _critical(n: int) -> float:
    """What the largest statistic of n runs reaches by chance in a share SIGNIFICANCE of all orders, at most."""
    import numpy as np

    dice = np.random.default_rng(n)  # the same answer every time
    tried = _PLACES // n
    orders = dice.permuted(np.tile(np.arange(1.0, n + 1), (tried, 1)), axis=1)
    largest = np.sort(_statistics(orders).max(axis=1))
    # Half a step above the value that is too frequent, so that rounding does not decide.
    beyond = largest[tried - int(tried * SIGNIFICANCE) - 1]
    above = largest[largest > beyond + 1e-9]
    return float((beyond + above[0]) / 2) if len(above) else float("inf")
