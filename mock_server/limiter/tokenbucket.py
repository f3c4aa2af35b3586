"""A token bucket; from outside the same as GCRA, the "leaky bucket as a meter" of ATM networks (ITU-T I.371)."""

from __future__ import annotations

import math

from testcard.core.target import Limit
from testcard.mock_server.limiter.admission import RESOLUTION_S, Counter


class TokenBucket(Counter):
    """A request takes a token; tokens come back evenly, as many in a window as it has requests.

    Args:
        size: how many the bucket holds, and so the longest burst. It is full at first.
    """

    def __init__(self, limit: Limit, size: int) -> None:
        super().__init__(limit.requests)
        self._rate_per_s = limit.rate_per_s
        self._size = size
        self._full = -math.inf
        """When the bucket is full again: GCRA's theoretical arrival time. No rounding error piles up in it."""

    def wait_s(self, now: float) -> float:
        return self._missing_s(now) - (self._size - 1) / self._rate_per_s

    def count(self, now: float) -> None:
        self._full = max(self._full, now) + 1 / self._rate_per_s

    def left(self, now: float) -> int:
        return math.floor(self._size - (self._missing_s(now) - RESOLUTION_S) * self._rate_per_s)

    def reset_s(self, now: float) -> float:
        return self._missing_s(now)

    def _missing_s(self, now: float) -> float:
        return max(0.0, self._full - now)
