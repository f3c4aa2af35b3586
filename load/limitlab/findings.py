"""What the investigation of a limit says about the requirements of the catalogue. Pure functions of its records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testcard.core.record import Finding, Record
from testcard.load.limitlab.plan import IDENTIFY, KEEP, SCOPE, LimitPlan
from testcard.load.limitlab.reading import Kept, bodies_count, kept_waits, most_within, promised_s
from testcard.load.ratelimit import Fitted

_SURE, _SAME = 0.95, 0.05
_WINDOWS = ("fixed-clock", "fixed-first", "sliding-log")
_BEYOND = 3
_LONG_S = 5.0
"""Waits below it are too short to have a half: the header speaks in whole seconds."""
"""As many more than the limit may pass before it counts as not enforced."""


def findings(records: Sequence[Record], limit: LimitPlan, fitted: Fitted | None = None) -> Iterator[Finding]:
    """The findings; what its records cannot show is left to `check`.

    Args:
        fitted: the limiter, where it was identified.
    """
    seen = [record for record in records if record.stage == IDENTIFY]
    refused = [record for record in seen if record.outcome == "limited"]
    first = refused[:1]
    passed = [record for record in seen if record.outcome in ("valid", "invalid", "refused")]
    if refused:
        other = fitted is not None and not _as_declared(fitted, limit)
        if other and fitted is not None and fitted.limit is not None:
            name = "limit.enforced" if fitted.limit.value > limit.requests else "limit.granted"
            yield Finding(
                name,
                held=False,
                expected=f"{limit.requests} requests in {limit.window_s:g} s",
                actual=f"{fitted.limit.value:g} in {limit.window_s:g} s, then 429, window after window",
                evidence=(refused[0].number,),
            )
            if name == "limit.enforced":
                refused = []
    if refused:
        yield Finding(
            "limit.enforced",
            held=True,
            expected=f"429 over {limit.requests} requests in {limit.window_s:g} s",
            actual=f"{len(refused)} of {len(seen)} requests were refused",
            evidence=(refused[0].number,),
        )
    elif not any(record.outcome == "limited" for record in seen):
        yield from _never_refused(passed, limit)
    for record in records:
        if record.stage == SCOPE and record.status is not None and first:
            yield Finding(
                "limit.per-key",
                held=record.outcome != "limited",
                expected="the second key is served while the limited one is refused",
                actual=f"{record.status} for the second key",
                evidence=(first[0].number, record.number),
            )
    yield from _too_long(seen)
    yield from _waits(kept_waits([record for record in records if record.stage == KEEP]))


def _too_long(seen: Sequence[Record]) -> Iterator[Finding]:
    """A request that passed before half of a promised wait was over: that needs no model of the limiter."""
    counting = bodies_count(seen)
    passed = [one for one in seen if one.outcome in ("valid", "invalid", "refused") and (counting or not one.violates)]
    for refused in seen:
        wait = promised_s(refused)
        if wait is None or wait < _LONG_S or refused.last_byte_s is None:
            continue
        half = refused.last_byte_s + wait / 2
        early = next((one for one in passed if refused.last_byte_s < (one.sent_s or 0.0) < half), None)
        if early is not None:
            after = (early.sent_s or 0.0) - refused.last_byte_s
            yield Finding(
                "limit.retry-after-tight",
                held=False,
                expected=f"no request passes in the first half of the {wait:g} s that a refusal asks for",
                actual=f"one passed after {after:.1f} s",
                evidence=(refused.number, early.number),
            )
            return


def _as_declared(fitted: Fitted, limit: LimitPlan) -> bool:
    """False only where a window of the declared length certainly admits another number than declared."""
    if fitted.kind not in _WINDOWS or fitted.limit is None or fitted.window_s is None:
        return True
    sure = min(fitted.confidence, fitted.limit.confidence, fitted.window_s.confidence) >= _SURE
    same = abs(fitted.window_s.value - limit.window_s) <= _SAME * limit.window_s
    most = limit.most_at_once + _BEYOND
    return not (sure and same and not limit.requests <= fitted.limit.value <= most)


def _never_refused(passed: Sequence[Record], limit: LimitPlan) -> Iterator[Finding]:
    """More came, and faster, than any limiter of that limit lets through; bodies that are refused need not count."""
    pictures = [record for record in passed if record.outcome != "refused"]
    most = most_within([record.sent_s or 0.0 for record in pictures], limit.window_s)
    if most > 2 * limit.requests + _BEYOND:
        yield Finding(
            "limit.enforced",
            held=False,
            expected=f"429 over {limit.requests} requests in {limit.window_s:g} s",
            actual=f"{most} requests passed within {limit.window_s:g} s, and no 429 came",
            evidence=(pictures[-1].number,),
        )


def _waits(waits: Sequence[Kept]) -> Iterator[Finding]:
    for wait in waits:
        if wait.half is not None:
            yield Finding(
                "limit.retry-after-tight",
                held=wait.half.outcome == "limited",
                expected=f"a request half way through {wait.promised_s:g} s is refused",
                actual=f"{wait.half.status} after {wait.promised_s / 2:g} s",
                evidence=(wait.refused.number, wait.half.number),
            )
            if wait.half.outcome == "limited" and _kept_before(waits, wait):
                yield Finding(
                    "limit.refusals-free",
                    held=wait.after.outcome != "limited",
                    expected=f"a request after {wait.promised_s:g} s passes, one refused in between or not",
                    actual=f"{wait.after.status} a second after that",
                    evidence=(wait.refused.number, wait.half.number, wait.after.number),
                )
        else:
            yield Finding(
                "limit.retry-after-honest",
                held=wait.after.outcome != "limited",
                expected=f"a request {wait.promised_s:g} s after the refusal passes",
                actual=f"{wait.after.status} a second after that",
                evidence=(wait.refused.number, wait.after.number),
            )


def _kept_before(waits: Sequence[Kept], wait: Kept) -> bool:
    return any(other.half is None and other.after.outcome != "limited" for other in waits if other is not wait)
