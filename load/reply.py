"""What came back of one request, and when: the record that a worker makes of an answer. Knows no event loop.

Plain values on absolute clocks, since one is made for each answer on the path that measures; what is judged of it is
made where it is judged (exchanges.py).
"""

from __future__ import annotations

from typing import NamedTuple

from testcard.core.exchange import Failure, Response
from testcard.load.arena import Lease


class Reply(NamedTuple):
    """Stamps are seconds of `time.monotonic()`."""

    sent: float
    first_byte: float | None = None
    """When the headers were complete."""
    last_byte: float | None = None
    status: int | None = None
    """None: no header lines came."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    """Empty where it has a place in the arena."""
    failure: Failure | None = None
    lease: Lease | None = None
    """The place of the body."""
    size_bytes: int = 0
    """Of the body, wherever it is."""

    @property
    def response(self) -> Response | None:
        """As far as it came; without its body where that has a place in the arena."""
        return None if self.status is None else Response(self.status, self.headers, self.body)


class Fetched(NamedTuple):
    """A picture that an answer named by URL, or why there is none."""

    url: str
    """As the answer named it."""
    began: float
    """On the monotonic clock; before any redirect."""
    began_at: float
    """The same, and the next, on the wall clock."""
    received_at: float
    reply: Reply
