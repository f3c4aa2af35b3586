"""Whether the answers of a check can carry a verdict at all."""

from __future__ import annotations

from collections.abc import Iterable

from testcard.conformance import case
from testcard.core.record import Record


def gate(records: Iterable[Record]) -> str | None:
    """Why there is no verdict, or None where there can be one.

    A server that answers good, keyless and malformed requests all alike was not examined but watched.
    """
    good: Record | None = None
    others: dict[str, Record] = {}
    answered = any_record = False
    for record in records:
        any_record = True
        answered = answered or record.status is not None
        success = record.status is not None and 200 <= record.status < 300
        if record.case in case.PROBES and record.key == "main" and success:
            good = good or record
        if record.case in (case.KEYLESS, case.MALFORMED):
            others[record.case] = record
    if not any_record:
        return "nothing was asked"
    if not answered:
        return "nothing answered"
    if good is None:
        return "no request with a good key got a 2xx"
    same = [r for r in others.values() if (r.status, r.shape) == (good.status, good.shape)]
    if others and len(same) == len(others):
        what = "good, keyless and malformed requests" if case.KEYLESS in others else "good and malformed requests"
        return f"{what} all got the same answer, {good.status} with {good.shape}: this is no image generation API"
    return None
