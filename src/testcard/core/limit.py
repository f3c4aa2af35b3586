"""Staying within the limit that a target declares for a key."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Sequence

from testcard.core.target import Limit

BURST_S = 10.0
"""Over how long a burst may last; the vendor's rate-limit page says "2x RPM for 10 seconds"."""


def constraints(limit: Limit) -> tuple[tuple[int, float], ...]:
    """(requests, window in seconds) pairs; keeping all of them keeps the limit, however it is implemented."""
    pairs = [(limit.requests, limit.window_s)]
    if limit.burst is not None and limit.window_s > BURST_S:
        pairs.append((max(1, int(limit.burst * limit.rate_per_s * BURST_S)), BURST_S))
    return tuple(pairs)


def wait_s(limit: Limit, sent: Sequence[float], now: float) -> float:
    """Seconds until one more request keeps the limit, after requests at the ascending times `sent`."""
    wait = 0.0
    for requests, window in constraints(limit):
        if len(sent) >= requests:
            wait = max(wait, sent[-requests] + window - now)
    return wait


def start_delay_s(limit: Limit, sent: Sequence[float], now: float, plan: Sequence[float]) -> float:
    """Seconds to wait before a plan may start, so that it and what was sent before keep the limit together.

    Args:
        sent: ascending times of earlier requests, on the same clock as `now`.
        plan: ascending times of the planned requests, from the plan's start.
    """
    delay = 0.0
    for requests, window in constraints(limit):
        recent = sent[bisect.bisect_right(sent, now - window) :]
        for index, offset in enumerate(plan[:requests]):
            # With this one, index + 1 planned requests are out: so many earlier ones must have left the window.
            overlap = len(recent) + index + 1 - requests
            if overlap > 0:
                delay = max(delay, recent[min(overlap, len(recent)) - 1] + window - now - offset)
    return max(0.0, delay)


class Pacer:
    """Lets requests through at a pace that keeps a declared limit. Thread-safe."""

    def __init__(self, limit: Limit | None, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self.sent: list[float] = []
        """When requests were let through, ascending, on the given clock."""

    def wait(self) -> None:
        """Return when one more request may be sent, and count it."""
        while True:
            with self._lock:
                now = self._clock()
                delay = wait_s(self._limit, self.sent, now) if self._limit else 0.0
                if delay <= 0:
                    self.sent.append(now)
                    return
            self._sleep(delay)
