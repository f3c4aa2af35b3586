"""How an arrival ended, in a few values: what the parent needs to know of a record that it only passes on.

The judging process writes each record as the line that records.jsonl will hold, with these values in front. So
nothing is read, built and written twice.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from testcard.core.record import Record

_TAB = b"\t"  # stands in no JSON text


class Ending(NamedTuple):
    """Of one arrival that was sent and judged."""

    number: int
    outcome: str
    images: int
    sent_s: float | None
    last_byte_s: float | None
    pictures: tuple[str, ...] = ()
    """The digests of its pictures."""
    given_id: str | None = None
    """The answer's own X-Request-Id, where it is not the one that we sent."""

    @classmethod
    def of(cls, record: Record, given_id: str | None) -> Ending:
        return cls(
            record.number,
            record.outcome or "broken",
            record.images,
            record.sent_s,
            record.last_byte_s,
            tuple(picture.sha256 for picture in record.pictures if picture.format),
            None if given_id == record.request_id else given_id,
        )

    def line(self, record: bytes) -> bytes:
        """It and its record, as one line."""
        return orjson.dumps(tuple(self)) + _TAB + record


def parse(line: bytes) -> tuple[Ending, bytes]:
    """What Ending.line() wrote: the ending, and the line for records.jsonl."""
    head, _, record = line.partition(_TAB)
    *values, pictures, given_id = orjson.loads(head)
    return Ending._make((*values, tuple(pictures), given_id)), record
