"""A rolling window with an allowance for bursts above it: the vendor's own words, and the mock's usual limiter."""

from __future__ import annotations

from testcard.core.limit import BURST_S
from testcard.core.target import Limit
from testcard.mock_server.limiter.slidinglog import SlidingLog
from testcard.mock_server.limiter.surplus import burst_most, window_most


class RollingWindow(SlidingLog):
    """At most `requests` in any window, with an allowance for bursts above it.

    AIgateway, docs/rate-limits: "60s rolling window with a small burst allowance (2x RPM for 10 seconds)".
    Read as: beyond `requests`, a request is still admitted while the last 10 s hold fewer than `burst` times
    the even rate, and the window fewer than its requests and the surplus of one such burst.
    """

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit, limit.requests)
        self._burst_most = burst_most(limit)
        self._window_most = window_most(limit)

    def wait_s(self, now: float) -> float:
        """Either of the two rules is enough."""
        wait = super().wait_s(now)
        if not self._burst_most:
            return wait
        in_burst = self.until(self._burst_most, BURST_S, now)
        return min(wait, max(in_burst, self.until(self._window_most, self.window_s, now)))
