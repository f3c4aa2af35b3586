"""What a limiter says about one request, and what a limiter is.

Rule 1: a limiter reads no clock. `now` is handed in, in seconds, and never goes back.
Rule 2: a refused request does not count, and `wait_s` is exact: if nothing follows, a request is admitted then
and not before.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

RESOLUTION_S = 1e-6
"""Nearer than this two moments are the same: what a float that counts seconds since 1970 can tell apart."""


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
        return str(max(1, math.ceil(self.wait_s - RESOLUTION_S)))

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*` with reset in seconds (AIgateway, docs/rate-limits, Response headers)."""
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": str(math.ceil(self.reset_s - RESOLUTION_S)),
        }


class Limiter(Protocol):
    """Admits or refuses."""

    def admit(self, now: float) -> Admission: ...

    def release(self) -> None:
        """An admitted request has been answered."""


class Counter(ABC):
    """A limiter that counts what it admits: each kind says how it counts.

    Args:
        requests: per window, as declared.
    """

    def __init__(self, requests: int) -> None:
        self.requests = requests

    def admit(self, now: float) -> Admission:
        wait = self.wait_s(now)
        admitted = wait <= RESOLUTION_S
        if admitted:
            self.count(now)
        return Admission(
            admitted=admitted,
            limit=self.requests,
            remaining=max(0, min(self.requests, self.left(now))),
            reset_s=max(0.0, self.reset_s(now)),
            wait_s=0.0 if admitted else wait,
        )

    def release(self) -> None:  # noqa: B027 (nothing to do is the usual answer, not a gap)
        """Give nothing back: what counts here is how many came, not how many are under way."""

    @abstractmethod
    def wait_s(self, now: float) -> float:
        """Seconds until a request would be admitted, if nothing follows; 0 or less: now."""

    @abstractmethod
    def count(self, now: float) -> None:
        """Take note of an admitted request."""

    @abstractmethod
    def left(self, now: float) -> int:
        """Requests that may still follow at once."""

    @abstractmethod
    def reset_s(self, now: float) -> float:
        """Seconds until nothing is counted any more, if nothing follows."""
