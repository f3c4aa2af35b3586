"""When to stop loading somebody else's server: it answers mostly with 5xx, or not at all."""

from __future__ import annotations

from collections import deque

from testcard.load.ending import Ending

WINDOW_S = 10.0
_FEWEST = 5  # in a window; of fewer, half says nothing


class Overload:
    """Watches the answers of the last 10 s."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._recent: deque[tuple[float, bool]] = deque()
        self._first: float | None = None
        self._bad = 0
        self.reached = False
        """Whether more than half of the answers of some 10 s were 5xx or timeouts."""

    def add(self, ending: Ending) -> None:
        """Take an arrival that was sent and has an outcome of its own."""
        if ending.sent_s is None or ending.outcome == "cancelled":
            return
        ended = ending.last_byte_s if ending.last_byte_s is not None else ending.sent_s + self._timeout_s
        bad = ending.outcome in ("server-error", "timeout")
        self._first = ended if self._first is None else min(self._first, ended)
        self._recent.append((ended, bad))
        self._bad += bad
        while self._recent and self._recent[0][0] < ended - WINDOW_S:
            self._bad -= self._recent.popleft()[1]
        full = ended - self._first >= WINDOW_S - 1.0
        if full and len(self._recent) >= _FEWEST and 2 * self._bad > len(self._recent):
            self.reached = True
