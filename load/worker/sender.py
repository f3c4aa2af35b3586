"""What a loop needs of a dispatcher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gevent.event import Event

from testcard.load.plan import Arrival, LoadPlan
from testcard.load.reply import Reply


class Prepared(NamedTuple):
    """A request that only waits for its time."""

    arrival: Arrival
    due: float
    """On the monotonic clock."""
    request_id: str
    message: bytes
    """As it goes over the wire, with the body at its end."""
    body: bytes


class UnderWay(Protocol):
    """An arrival that was sent."""

    value: Reply | None
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
