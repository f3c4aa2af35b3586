"""What the investigation of a limit says about the requirements of the catalogue. Pure functions of its records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from statistics import median

from testcard import schemas
from testcard.conformance.probe.ratelimitheaders import Told, headers_true
from testcard.conformance.ratelimit import said
from testcard.core.exchange import Response
from testcard.core.record import Finding, Record
from testcard.core.runfile import Skip
from testcard.load.limitlab.enforcement import enforcement
from testcard.load.limitlab.patience import patience
from testcard.load.limitlab.plan import IDENTIFY, SCOPE, LimitPlan
from testcard.load.limitlab.reading import let_through, own, promised_s
from testcard.load.limitlab.replay import Read
from testcard.load.limitlab.standin import LIMITED

_PER_KEY, _AT_ONCE = "limit.per-key", "limit.refused-at-once"
_SLOWER_S = 1.0
"""How much slower than the slowest answer refusals may be: a server has hiccups."""


def findings(read: Read, limit: LimitPlan, dialect: str) -> Iterator[Finding | Skip]:
    """What its records show; the rest is left to `check`. Requirements of other dialects are not spoken of."""
    rows = schemas.requirements()
    seen = [record for record in read.records if record.stage == IDENTIFY]
    for found in chain(
        enforcement(read, limit),
        _scope(read.records),
        _at_once(seen),
        patience(read.records),
        headers_true(limit.limit, dialect, _told(own(read.records))),
    ):
        dialects = rows[found.requirement].dialects
        if not dialects or dialect in dialects:
            yield found


def _scope(records: Sequence[Record]) -> Iterator[Finding]:
    refused = next((one for one in records if one.stage == IDENTIFY and one.outcome == LIMITED), None)
    for record in records:
        if record.stage == SCOPE and record.status is not None and refused is not None:
            yield Finding(
                _PER_KEY,
                held=record.outcome != LIMITED,
                expected="the second key is served while the limited one is refused",
                actual=f"{record.status} for the second key",
                evidence=(refused.number, record.number),
            )


def _at_once(seen: Sequence[Record]) -> Iterator[Finding]:
    """The usual refusal against the slowest answer that was none."""
    refused = [one for one in seen if one.status == 429]
    passed = [_took_s(one) for one in seen if let_through(one)]
    if not refused or not passed:
        return
    took, bound = median(map(_took_s, refused)), max(passed) + _SLOWER_S
    yield Finding(
        _AT_ONCE,
        held=took <= bound,
        expected=f"a 429 within {bound:.2f} s: other answers took up to {max(passed):.2f} s",
        actual=f"{len(refused)} of them took {took:.2f} s, the median",
        evidence=(refused[0].number,),
    )


def _took_s(record: Record) -> float:
    return (record.last_byte_s or 0.0) - (record.sent_s or 0.0)


def _told(seen: Sequence[Record]) -> list[Told]:
    return [
        Told(one.number, one.status or 0, said(Response(one.status or 0, one.headers, b"")), promised_s(one))
        for one in seen
    ]
