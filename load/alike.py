"""Records of answers that are alike: what was concluded from one holds of all, and only what is their own is new.

Under load thousands of good answers differ in their pictures, ids and spans alone. The first of a likeness is judged
by every judge; of the others each picture is looked at, and whatever else differs (conformance/likeness.py). Nothing
that is broken is ever remembered, nor anything for longer than a second of the clock.
"""

from __future__ import annotations

from typing import Any

from testcard.conformance import Likeness
from testcard.core.exchange import Exchange
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.runfile import dumped, values_of
from testcard.core.servertiming import server_times
from testcard.load.ending import Ending
from testcard.load.handover import Planned

_MOST = 256


class Alike:
    """Remembers records by likeness and place in the plan."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._known: dict[tuple[object, ...], dict[str, Any]] = {}

    def learn(self, planned: Planned, likeness: Likeness, record: Record) -> None:
        """Remember a record that was judged, if nothing in it calls for another look."""
        if record.outcome != "valid" or record.broken or record.pictures != likeness.pictures:
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        values = values_of(record)
        values.pop("held", None)  # the next one shows nothing new
        self._known[likeness.key, planned, "server_s" in values] = values

    def line(self, planned: Planned, likeness: Likeness, exchange: Exchange) -> bytes | None:
        """The line of one more record of its kind; None where none like it is known."""
        response = exchange.response
        if response is None or exchange.first_byte_s is None or exchange.last_byte_s is None:
            return None
        server_s = server_times(response)
        known = self._known.get((likeness.key, planned, server_s is not None))
        if known is None:
            return None
        sent_s, last_byte_s = round(exchange.sent_s, 6), round(exchange.last_byte_s, 6)
        values = known.copy()
        values["number"] = exchange.number
        values["case"] = exchange.request.case
        values["at"] = exchange.at
        values["request_id"] = exchange.request_id
        values["size_bytes"] = len(response.body)
        if server_s is not None:
            values["server_s"] = server_s
        values["planned_s"] = round(exchange.planned_s, 6)
        values["sent_s"] = sent_s
        values["first_byte_s"] = round(exchange.first_byte_s, 6)
        values["last_byte_s"] = last_byte_s
        values["pictures"] = [picture.to_json() for picture in likeness.pictures]
        given = likeness.given_id
        ending = Ending(
            exchange.number, "valid", values["images"], sent_s, last_byte_s,
            tuple([picture.sha256 for picture in likeness.pictures]), None if given == exchange.request_id else given,
        )  # fmt: skip
        return ending.line(dumped(values, self._redactor))
