"""What a crowd does, beyond what every load has: who asks again how, on which key, against which declared limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from testcard.core.errors import UsageError
from testcard.core.record import Jsonable
from testcard.core.target import Limit, Target
from testcard.load.crowd.policy import policy
from testcard.load.crowd.simulation import first_asks

_UNDECLARED_S = 60.0
"""The window that is taken for granted where the target declares no limit."""
_ANSWER_S = 1.0
"""How long an answer is taken to take, for the estimate of minutes."""


@dataclass(frozen=True, slots=True)
class CrowdPlan(Jsonable):
    """Crowds, one after the other, each of clients with one policy. Every client wants one picture."""

    policies: tuple[str, ...]
    key: str
    """Role of the key that all of them use."""
    requests: int | None = None
    """The declared limit of that key; None: none is declared."""
    window_s: float = _UNDECLARED_S

    @classmethod
    def of(cls, target: Target, policies: tuple[str, ...]) -> CrowdPlan:
        """On the limited key where the target declares one, so that the others stay usable.

        Raises:
            UsageError: there is no such policy, or it is named twice.
        """
        for name in policies:
            policy(name)
        if len(set(policies)) < len(policies):
            raise UsageError("--policy: each only once; a crowd asks at different moments with another --seed")
        limit = target.limited or target.limit
        key = "limited" if target.limited is not None else "main"
        if limit is None:
            return cls(policies, key)
        return cls(policies, key, limit.requests, limit.window_s)

    @property
    def limit(self) -> Limit | None:
        return None if self.requests is None else Limit(self.requests, self.window_s)

    @property
    def pause_s(self) -> float:
        """Between two crowds, so that the second finds its window empty; a counter remembers two windows."""
        return 2 * self.window_s

    def tries(self, name: str) -> int:
        """The most requests of one client."""
        return policy(name).retries + 1

    def usual_s(self, name: str, span_s: float) -> float:
        """How long a crowd may last if no wait is longer than the window."""
        return span_s + policy(name).longest_s(self.window_s) + self.tries(name) * _ANSWER_S

    def longest_s(self, name: str, span_s: float) -> float:
        """How long it may last whatever the server asks for."""
        return span_s + policy(name).longest_s(max(policy(name).obeys_s[1], self.window_s))

    def asks(self, name: str, clients: int, span_s: float, seed: int) -> Iterator[tuple[int, int, float]]:
        """Client, attempt, and its earliest moment from the begin of the crowd, of every request that there may be."""
        for client, at in enumerate(first_asks(clients, span_s, seed)):
            for attempt in range(1, self.tries(name) + 1):
                yield client, attempt, at
