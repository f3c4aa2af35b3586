"""What the scenario `limit` may cost, known before the first request."""

from __future__ import annotations

from dataclasses import dataclass

from testcard.core.errors import UsageError
from testcard.core.record import Jsonable
from testcard.core.target import Limit, Target

IDENTIFY, KEEP, SCOPE, USED_UP = STAGES = ("identify", "keep", "scope", "used-up")
"""What a request is for: to identify the limiter, to keep a wait, to see whether a second key is limited too. The last
are those that found the limit used up by somebody before, and say nothing of what uses it up."""
_TIMES = 6
_WINDOWS = 12.0
WAITS = 2
RESTS = 2
"""How often it rests for a window, at most, where the limit was used up before the first request."""
BEYOND = 3
USE_UP = BEYOND
"""So many more than twice the limit are sent at most to use it up."""


@dataclass(frozen=True, slots=True)
class LimitPlan(Jsonable):
    """Bounds of the investigation of one key's limit."""

    key: str
    requests: int
    """The declared limit."""
    window_s: float
    most_requests: int
    """To identify it."""
    most_s: float
    """How long that may take."""
    most_at_once: int = 0
    """What a window may admit with a burst in it, as declared."""

    @classmethod
    def of(cls, target: Target, most_s: float | None) -> LimitPlan:
        """Six times the declared limit, within twelve of its windows.

        Raises:
            UsageError: the target declares no limited key.
        """
        if target.limited is None:
            raise UsageError(
                "--scenario limit needs a key that may be driven over its limit: declare its limit in "
                "[target.limited] (requests, window_s), and name its variable in [target.keys]"
            )
        limit = target.limited
        burst = int((limit.burst or 1.0) * limit.requests) + 1 if limit.burst else limit.requests
        return cls(
            key="limited",
            requests=limit.requests,
            window_s=limit.window_s,
            most_requests=_TIMES * limit.requests,
            most_s=most_s or _WINDOWS * limit.window_s,
            most_at_once=burst,
        )

    @property
    def limit(self) -> Limit:
        return Limit(self.requests, self.window_s)

    @property
    def count(self) -> int:
        """The most requests in all: rests, identification twice if refused bodies do not count, waits, the other
        key."""
        free = 3 * self.requests
        return RESTS + 1 + free + self.most_requests + self._keeping + 1

    @property
    def _keeping(self) -> int:
        """To use the limit up before each wait, and at the end of it; once half way, as many as the limit."""
        return WAITS * (2 * self.requests + USE_UP + 1) + self.requests

    @property
    def images(self) -> int:
        """The most of them that may bring a picture: all but the bodies that are refused whatever happens."""
        return self.count - RESTS - 3 * self.requests - 1

    @property
    def total_s(self) -> float:
        """The longest that it takes, unless a server asks to wait longer than its window."""
        return self.most_s + WAITS * 2 * self.window_s
