"""Fixed windows: the count goes back to 0 all at once, when the next window begins."""

from __future__ import annotations

import math
from abc import abstractmethod

from testcard.core.target import Limit
from testcard.mock_server.limiter.admission import RESOLUTION_S, Counter


class _FixedWindow(Counter):
    """At most `most` requests from the beginning of a window to its end."""

    def __init__(self, limit: Limit, most: int) -> None:
        super().__init__(limit.requests)
        self.window_s = limit.window_s
        self._most = most
        self._begin = -math.inf
        self._counted = 0

    @abstractmethod
    def beginning(self, now: float) -> float:
        """When the window that `now` falls into began, the last one having ended."""

    def wait_s(self, now: float) -> float:
        return self.reset_s(now) if self.left(now) <= 0 else 0.0

    def count(self, now: float) -> None:
        if self._over(now):
            self._begin, self._counted = self.beginning(now), 0
        self._counted += 1

    def left(self, now: float) -> int:
        return self._most if self._over(now) else self._most - self._counted

    def reset_s(self, now: float) -> float:
        return 0.0 if self._over(now) else self._begin + self.window_s - now

    def _over(self, now: float) -> bool:
        return self._begin + self.window_s - now <= RESOLUTION_S


class ClockWindow(_FixedWindow):
    """Windows begin at whole multiples of their length, as minutes do on a clock."""

    def beginning(self, now: float) -> float:
        return math.floor((now + RESOLUTION_S) / self.window_s) * self.window_s


class FirstRequestWindow(_FixedWindow):
    """A window begins with the first request after the last one ended."""

    def beginning(self, now: float) -> float:
        return now
