"""Reading the records of an investigation: waves, promises, waits that were kept. Pure functions."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import groupby

from testcard.conformance.retryafter import BadRetryAfter, retry_after_s
from testcard.core.exchange import Response
from testcard.core.record import Record
from testcard.load.limitlab.plan import IDENTIFY, KEEP
from testcard.load.ratelimit import Observation

_NEARLY_S = 0.05
TOLD = ("valid", "invalid", "refused", "limited")
"""Outcomes that tell something of a limiter."""


def own(records: Sequence[Record]) -> list[Record]:
    """Those on the key that is driven over its limit."""
    return [record for record in records if record.stage in (IDENTIFY, KEEP)]


def let_through(record: Record) -> bool:
    """Whether the limiter let it pass, whatever became of it."""
    return record.outcome in ("valid", "invalid", "refused")


@dataclass(frozen=True, slots=True)
class Kept:
    """A wait that was kept: the refusal, a probe half way, and one after its end."""

    refused: Record
    promised_s: float
    half: Record | None
    """One of those sent half way: the first that passed, or else the last that was refused."""
    after: Record


def waves(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Requests that were sent together, in the order of time."""
    for _, wave in groupby(sorted(records, key=lambda one: (one.planned_s, one.number)), key=lambda one: one.planned_s):
        yield list(wave)


def observed(records: Sequence[Record]) -> list[list[Observation]]:
    """What the requests that were sent to identify a limiter show of it, wave by wave.

    Where refused bodies turned out not to count, only the others tell.
    """
    seen = [record for record in records if record.stage == IDENTIFY and record.outcome in TOLD]
    if not bodies_count(seen):
        seen = [record for record in seen if not record.violates]
    return [found for wave in waves(seen) if (found := observations(wave))]


def observations(wave: Sequence[Record]) -> list[Observation]:
    """What the requests of a wave show; an answer that tells nothing of the limiter is left out."""
    return [one for record in wave if record.outcome in TOLD and (one := observation(record)) is not None]


def bodies_count(records: Sequence[Record]) -> bool | None:
    """Whether bodies that are refused use up the limit; None where only those were sent and none was limited."""
    free = [record for record in records if record.stage == IDENTIFY and record.violates]
    if any(record.outcome == "limited" for record in free):
        return True
    others = [record for record in records if record.stage == IDENTIFY and not record.violates]
    return False if free and any(record.outcome == "limited" for record in others) else None


def observation(record: Record) -> Observation | None:
    """One record, as the identification reads it."""
    if record.sent_s is None:
        return None
    ended = record.sent_s if record.last_byte_s is None else record.last_byte_s
    limited = record.outcome == "limited"
    return Observation(record.sent_s, ended, not limited, promised_s(record), limited and form(record) == "date")


def promised_s(record: Record) -> float | None:
    """The wait that a refusal asks for, if it can be read."""
    if record.outcome != "limited":
        return None
    try:
        return retry_after_s(_response(record)).seconds
    except BadRetryAfter:
        return None


def form(record: Record) -> str:
    """In which form a refusal tells the wait."""
    response = _response(record)
    if response.header("retry-after") is None:
        return "missing"
    try:
        return "date" if retry_after_s(response).by_date else "seconds"
    except BadRetryAfter:
        return "unreadable"


def headers(record: Record) -> Mapping[str, str]:
    """The headers of an answer by their names in lower case."""
    return {name.lower(): value for name, value in record.headers}


def answered_at(record: Record) -> float:
    """The answer's own Date as seconds since the epoch, or our clock's."""
    try:
        return parsedate_to_datetime(headers(record).get("date", "")).timestamp()
    except ValueError:
        return datetime.fromisoformat(record.at).timestamp()


def kept_waits(records: Sequence[Record]) -> list[Kept]:
    """The waits that were kept, from the records of their stage: a wave that ends in a refusal, then the probes."""
    found: list[Kept] = []
    refused: Record | None = None
    half: Record | None = None
    for wave in waves(records):
        last = max(wave, key=lambda one: one.last_byte_s or 0.0)
        promised = promised_s(refused) if refused is not None else None
        if refused is not None and promised is not None and refused.last_byte_s is not None:
            due = last.planned_s - refused.last_byte_s
            if due >= promised and len(wave) == 1:
                found.append(Kept(refused, promised, half, last))
                refused = half = None
                continue
            if promised > due >= promised / 2 - 0.01 and half is None:
                half = next((one for one in wave if let_through(one)), last)
                continue
        limited = [one for one in wave if one.outcome == "limited"]
        if limited:
            refused, half = max(limited, key=lambda one: one.last_byte_s or 0.0), None
    return found


def after_rest(records: Sequence[Record], window_s: float) -> Iterator[list[Record]]:
    """What was sent to use the limit up, each time from a window without requests to the first refusal."""
    burst: list[Record] = []
    ended, open_ = -math.inf, False
    for wave in waves(own(records)):
        rested = wave[0].planned_s >= ended + window_s - _NEARLY_S
        ended = max(one.last_byte_s or one.planned_s for one in wave)
        if rested:
            burst, open_ = [], wave[0].stage == KEEP
        burst += wave
        if open_ and any(one.outcome == "limited" for one in wave):
            yield burst
            open_ = False


def most_within(times: Sequence[float], span_s: float) -> int:
    """The most of these moments that lie within a span."""
    ordered = sorted(times)
    return max((number + 1 - bisect_left(ordered, time - span_s) for number, time in enumerate(ordered)), default=0)


def _response(record: Record) -> Response:
    return Response(record.status or 0, record.headers, b"")
