"""What a loop needs of a dispatcher. Only locustfile.py and what only it imports may import this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import gevent
from gevent.event import Event

from testcard.core.exchange import Request
from testcard.load.plan import Arrival, LoadPlan


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that only waits for its time."""

    arrival: Arrival
    request: Request
    number: int
    """Of its record."""
    request_id: str
    sent_headers: tuple[tuple[str, str], ...]
    """Redacted."""
    message: bytes
    """As it goes over the wire."""
    planned_s: float
    """On the run's clock."""


class Sender(Protocol):
    """What a loop needs of a dispatcher."""

    plan: LoadPlan
    arrivals: Sequence[Arrival]
    """Its own part of the plan, in the order of time; of a crowd, by client."""
    stopped: Event

    def prepare(self, arrival: Arrival, due: float) -> Prepared: ...

    def send(self, prepared: Prepared) -> gevent.Greenlet | None:
        """Send it now. The greenlet ends with the exchange; None: it was dropped."""
