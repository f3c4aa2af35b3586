"""What a loop needs of a dispatcher. Only locustfile.py and what only it imports may import this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gevent.event import Event

from testcard.core.exchange import Exchange, Request
from testcard.load.plan import Arrival, LoadPlan


class Prepared(NamedTuple):
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


class UnderWay(Protocol):
    """An arrival that was sent."""

    value: Exchange | None
    """What came of it; None until then."""

    def join(self) -> None:
        """Wait for its end."""

    def cancel(self) -> None:
        """End it: nobody wants the answer any more."""


class Sender(Protocol):
    """What a loop needs of a dispatcher."""

    plan: LoadPlan
    arrivals: Sequence[Arrival]
    """Its own part of the plan, in the order of time; of a crowd, by client."""
    stopped: Event

    def prepare(self, arrival: Arrival, due: float) -> Prepared: ...

    def send(self, prepared: Prepared) -> UnderWay | None:
        """Send it now; None: it was dropped."""
