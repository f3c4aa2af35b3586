"""Per-key request limits, on a clock that is handed in.

A limiter is anything that answers `admit(now)`; it keeps its own state and reads no clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from testcard.core.limit import BURST_S
from testcard.core.target import Limit


@dataclass(frozen=True, slots=True)
class Admission:
    """What a limiter says about one request."""

    admitted: bool
    limit: int
    """Requests per window."""
    remaining: int
    """Requests that may still follow at once, bursts apart."""
    reset_s: float
    """Seconds until the window is empty, if nothing follows."""
    wait_s: float = 0.0
    """Seconds until a request would be admitted, if nothing follows."""

    @property
    def retry_after(self) -> str:
        """Whole seconds, never too early, at least 1: a client that waits 0 s does not wait."""
        return str(max(1, math.ceil(self.wait_s - 1e-9)))

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*` with reset in seconds (AIgateway, docs/rate-limits, Response headers)."""
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": str(math.ceil(self.reset_s)),
        }


class Limiter(Protocol):
    """Admits or refuses. `now` never goes back."""

    def admit(self, now: float) -> Admission: ...


class RollingWindow:
    """At most `requests` in any window, with an allowance for bursts above it.

    AIgateway, docs/rate-limits: "60s rolling window with a small burst allowance (2x RPM for 10 seconds)".
    Read as: beyond `requests`, a request is still admitted while the last 10 s hold fewer than `burst` times
    the even rate, and the window fewer than its requests and the surplus of one such burst. A refused request
    does not count.
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._times: deque[float] = deque()
        burst = limit.burst if limit.burst is not None and limit.window_s > BURST_S else 1.0
        even = limit.rate_per_s * BURST_S
        self._burst_most = math.ceil(burst * even) if burst > 1 else 0
        self._window_most = math.ceil(limit.requests + (burst - 1) * even) if burst > 1 else limit.requests

    def admit(self, now: float) -> Admission:
        while self._times and self._times[0] <= now - self._limit.window_s:
            self._times.popleft()
        wait = min(self._waits(now))
        if wait <= 0:
            self._times.append(now)
        requests = self._limit.requests
        return Admission(
            admitted=wait <= 0,
            limit=requests,
            remaining=max(0, requests - len(self._times)),
            reset_s=self._times[-1] + self._limit.window_s - now if self._times else 0.0,
            wait_s=max(0.0, wait),
        )

    def _waits(self, now: float) -> Iterator[float]:
        """Seconds until each of the two rules admits a request; either is enough."""
        yield self._until(self._limit.requests, self._limit.window_s, now)
        if self._burst_most:
            yield max(
                self._until(self._burst_most, BURST_S, now),
                self._until(self._window_most, self._limit.window_s, now),
            )

    def _until(self, most: int, window_s: float, now: float) -> float:
        """Seconds until fewer than `most` requests lie within the last `window_s`."""
        return self._times[-most] + window_s - now if len(self._times) >= most else 0.0


def limiter(limit: Limit) -> Limiter:
    """The limiter that keeps a declared limit."""
    return RollingWindow(limit)
