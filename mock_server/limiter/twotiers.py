"""Two limits at once: a short one against bursts and a long one for the total."""

from __future__ import annotations

from testcard.core.target import Limit
from testcard.mock_server.limiter.admission import Counter
from testcard.mock_server.limiter.slidinglog import SlidingLog


class TwoTiers(Counter):
    """A request must keep both, and counts in both."""

    def __init__(self, long: SlidingLog, short: Limit) -> None:
        super().__init__(long.requests)
        self._long = long
        self._tiers = (long, SlidingLog(short, short.requests))

    def wait_s(self, now: float) -> float:
        return max(tier.wait_s(now) for tier in self._tiers)

    def count(self, now: float) -> None:
        for tier in self._tiers:
            tier.count(now)

    def left(self, now: float) -> int:
        return min(tier.left(now) for tier in self._tiers)

    def reset_s(self, now: float) -> float:
        return self._long.reset_s(now)
