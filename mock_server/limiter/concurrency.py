"""A cap on how many requests are under way at once: no window, and no wait that could be known."""

from __future__ import annotations

from testcard.mock_server.limiter.admission import Admission

_SOON_S = 1.0
"""When a place will be free depends on others' requests; the shortest wait that the header can name."""


class ConcurrencyCap:
    """At most `requests` under way; a place comes back when its request has been answered."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._under_way = 0

    def admit(self, now: float) -> Admission:  # noqa: ARG002 (a cap needs no clock; every other limiter does)
        admitted = self._under_way < self._requests
        self._under_way += admitted
        return Admission(
            admitted=admitted,
            limit=self._requests,
            remaining=self._requests - self._under_way,
            reset_s=_SOON_S,
            wait_s=0.0 if admitted else _SOON_S,
        )

    def release(self) -> None:
        self._under_way = max(0, self._under_way - 1)
