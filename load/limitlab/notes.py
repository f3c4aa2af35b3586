"""What is to be known of a limit and stands in no figure. Pure functions of an investigation's records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testcard.core.record import Record
from testcard.load.limitlab import reading
from testcard.load.limitlab.plan import USED_UP
from testcard.load.limitlab.replay import Read
from testcard.load.limitlab.standin import LIMITED

_QUEUED_S = 1.0
_QUEUED = 5.0
"""Times the fastest answer: slower ones, where nothing was refused, may have stood in a queue."""


def notes(read: Read) -> Iterator[str]:
    """A sentence each."""
    if any(record.stage == USED_UP for record in read.records):
        yield "The limit had been used up before the first request: the key was left alone for a window."
    own = reading.own(read.records)
    if not any(record.outcome == LIMITED for record in own):
        yield from _queued([record for record in own if reading.let_through(record)])


def _queued(passed: Sequence[Record]) -> Iterator[str]:
    took = sorted(
        one.last_byte_s - one.sent_s for one in passed if one.last_byte_s is not None and one.sent_s is not None
    )
    if took and took[-1] > max(_QUEUED_S, _QUEUED * took[0]):
        yield (
            f"Nothing was refused, and answers took from {took[0]:.2g} s to {took[-1]:.2g} s: what is too much may "
            "stand in a queue instead."
        )
