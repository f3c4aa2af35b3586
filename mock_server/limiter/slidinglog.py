"""A sliding log: the time of every admitted request is kept for the length of a window."""

from __future__ import annotations

from collections import deque

from testcard.core.target import Limit
from testcard.mock_server.limiter.admission import RESOLUTION_S, Counter


class SlidingLog(Counter):
    """At most `most` requests in any span of the window's length: each place comes back a window after it was taken."""

    def __init__(self, limit: Limit, most: int) -> None:
        super().__init__(limit.requests)
        self.window_s = limit.window_s
        self._most = most
        self._times: deque[float] = deque()

    def wait_s(self, now: float) -> float:
        self._forget(now)
        return self.until(self._most, self.window_s, now)

    def until(self, most: int, window_s: float, now: float) -> float:
        """Seconds until fewer than `most` requests lie within the last `window_s`."""
        return self._times[-most] + window_s - now if len(self._times) >= most else 0.0

    def count(self, now: float) -> None:
        self._times.append(now)

    def left(self, now: float) -> int:
        self._forget(now)
        return self._most - len(self._times)

    def reset_s(self, now: float) -> float:
        return self._times[-1] + self.window_s - now if self._times else 0.0

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] + self.window_s - now <= RESOLUTION_S:
            self._times.popleft()
