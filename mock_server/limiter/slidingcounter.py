"""A sliding counter: two counts instead of a log, the older one weighted by what of it is still in sight."""

from __future__ import annotations

import math

from testcard.core.target import Limit
from testcard.mock_server.limiter.admission import RESOLUTION_S, Counter


class SlidingCounter(Counter):
    """Counts by fixed windows of the clock, and estimates the last `window_s` from two of them.

    The estimate takes the requests of the previous window as evenly spread (Cloudflare, "How we built rate
    limiting capable of scaling to millions of domains", 2017). One request more must keep it within `most`.
    """

    def __init__(self, limit: Limit, most: int) -> None:
        super().__init__(limit.requests)
        self.window_s = limit.window_s
        self._most = most
        self._number = 0
        """Of the window that `_current` counts."""
        self._previous = 0
        self._current = 0

    def wait_s(self, now: float) -> float:
        self._turn(now)
        into_s = now - self._number * self.window_s
        room = self._most - 1 - self._current
        if room >= 0:
            # The previous window's share shrinks until the rest fits beside it.
            return self._until(self._previous, room) - into_s
        # Nothing fits before this window is the previous one itself.
        return self.window_s + self._until(self._current, self._most - 1) - into_s

    def count(self, now: float) -> None:
        self._turn(now)
        self._current += 1

    def left(self, now: float) -> int:
        self._turn(now)
        share = 1 - (now - self._number * self.window_s) / self.window_s
        # Of what is left exactly, a rounding error must not take one away.
        return math.floor(self._most - self._current - self._previous * share + RESOLUTION_S)

    def reset_s(self, now: float) -> float:
        self._turn(now)
        windows = 2 if self._current else 1 if self._previous else 0
        return (self._number + windows) * self.window_s - now if windows else 0.0

    def _until(self, previous: int, room: int) -> float:
        """Seconds into a window from which on the previous one's share leaves this much room."""
        return self.window_s * (1 - room / previous) if previous > room else 0.0

    def _turn(self, now: float) -> None:
        number = math.floor((now + RESOLUTION_S) / self.window_s)
        if number > self._number:
            self._previous = self._current if number == self._number + 1 else 0
            self._number, self._current = number, 0
