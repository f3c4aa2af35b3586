"""How many requests more than its limit a burst may bring into a window."""

from __future__ import annotations

import math

from testcard.core.limit import BURST_S
from testcard.core.target import Limit

_ROUNDING = 1e-9


def burst_most(limit: Limit) -> int:
    """The requests of 10 s at `burst` times the even rate, or 0 where there is no burst."""
    if limit.burst is None or limit.burst <= 1 or limit.window_s <= BURST_S:
        return 0
    return _ceil(limit.burst * limit.rate_per_s * BURST_S)


def window_most(limit: Limit) -> int:
    """The requests of a window with one burst in it: 10 s at `burst` times the even rate.

    A window of 10 s and less has none.
    """
    if not burst_most(limit) or limit.burst is None:
        return limit.requests
    return _ceil(limit.requests + (limit.burst - 1) * limit.rate_per_s * BURST_S)


def _ceil(number: float) -> int:
    # 1.5 * 0.2 * 10 is a little more than 3.
    return math.ceil(number - _ROUNDING)
