"""Limiters of every kind. `take` counts one request of a key, or says how many whole seconds to wait."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from typing import Protocol


class Limiter(Protocol):
    def take(self, key: str, now: float) -> int | None: ...


class SlidingLog:
    """At most so many requests in any span of the window's length; refused ones don't count."""

    def __init__(self, requests: int, window_s: float) -> None:
        self._requests, self._window = requests, window_s
        self._taken: dict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def take(self, key: str, now: float) -> int | None:
        with self._lock:
            taken = self._taken[key] = [moment for moment in self._taken[key] if moment > now - self._window]
            if len(taken) < self._requests:
                taken.append(now)
                return None
            return max(1, math.ceil(taken[0] + self._window - now))


class FixedWindow:
    """At most so many requests in each window of the clock."""

    def __init__(self, requests: int, window_s: float) -> None:
        self._requests, self._window = requests, window_s
        self._counts: dict[tuple[str, int], int] = defaultdict(int)
        self._lock = threading.Lock()

    def take(self, key: str, now: float) -> int | None:
        number = math.floor(now / self._window)
        with self._lock:
            self._counts[key, number] += 1
            if self._counts[key, number] <= self._requests:
                return None
            return max(1, math.ceil((number + 1) * self._window - now))


class TokenBucket:
    """A bucket of so many tokens that fills up once in a window."""

    def __init__(self, requests: int, window_s: float) -> None:
        self._most, self._rate = requests, requests / window_s
        self._levels: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, key: str, now: float) -> int | None:
        with self._lock:
            level, since = self._levels.get(key, (float(self._most), now))
            level = min(self._most, level + (now - since) * self._rate)
            self._levels[key] = (level - 1 if level >= 1 else level, now)
            return None if level >= 1 else max(1, math.ceil((1 - level) / self._rate))
