"""Whether the waits that refusals ask for are worth keeping. Pure functions of an investigation's records.

Rule 1: between a refusal and the request that its promise is judged by nothing passes, and what is refused is not held
against the promise: some limiters count what they refuse, which is a finding of its own.
Rule 2: Retry-After speaks in whole seconds: a second is no difference, and a wait of a few has no half.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from testcard.core.record import Finding, Record
from testcard.load.limitlab.plan import IDENTIFY, KEEP
from testcard.load.limitlab.reading import Kept, bodies_count, kept_waits, let_through, promised_s, waves
from testcard.load.limitlab.standin import LIMITED

HONEST, TIGHT, POSTPONED = "limit.retry-after-honest", "limit.retry-after-tight", "limit.refusals-free"
_WHOLE_S = 1.0
_LONG_S = 5.0


def patience(records: Sequence[Record]) -> Iterator[Finding]:
    """Waits that were kept on purpose, and those that happened to be kept while the limiter was looked for."""
    seen = [record for record in records if record.stage == IDENTIFY]
    yield from _kept_by_chance(seen)
    yield from _too_long(seen)
    waits = kept_waits([record for record in records if record.stage == KEEP])
    for wait in waits:
        if wait.half is None:
            yield _honest(wait.refused, wait.promised_s, wait.after)
        else:
            yield from _half_way(wait, waits)


def _honest(refused: Record, promised: float, after: Record) -> Finding:
    later = (after.sent_s or 0.0) - (refused.last_byte_s or 0.0)
    return Finding(
        HONEST,
        held=after.outcome != LIMITED,
        expected=f"a request {promised:g} s after the refusal passes",
        actual=f"{after.status} after {later:.1f} s, nothing having passed in between",
        evidence=(refused.number, after.number),
    )


def _kept_by_chance(seen: Sequence[Record]) -> Iterator[Finding]:
    """A wave that came a second and more after the last promise before it, if nothing passed any more."""
    for before, wave in pairwise(waves(seen)):
        promises = [(one, wait) for one in before if (wait := promised_s(one)) is not None and wait > 0]
        if not promises or len(promises) < sum(one.outcome == LIMITED for one in before):
            continue
        refused, wait = max(promises, key=lambda pair: (pair[0].last_byte_s or 0.0) + pair[1])
        first = min(wave, key=lambda one: one.sent_s or 0.0)
        if (first.sent_s or 0.0) < max(one.last_byte_s or 0.0 for one in before) + wait + _WHOLE_S:
            continue
        if all(one.outcome == LIMITED for one in wave):
            yield _honest(refused, wait, first)
            return


def _too_long(seen: Sequence[Record]) -> Iterator[Finding]:
    """A request that passed before half of a promised wait was over: that needs no model of the limiter."""
    counting = bodies_count(seen)
    passed = [one for one in seen if let_through(one) and (counting or not one.violates)]
    for refused in seen:
        wait = promised_s(refused)
        if wait is None or wait < _LONG_S or refused.last_byte_s is None:
            continue
        half = refused.last_byte_s + wait / 2
        early = next((one for one in passed if refused.last_byte_s < (one.sent_s or 0.0) < half), None)
        if early is not None:
            after = (early.sent_s or 0.0) - refused.last_byte_s
            yield Finding(
                TIGHT,
                held=False,
                expected=f"no request passes in the first half of the {wait:g} s that a refusal asks for",
                actual=f"one passed after {after:.1f} s",
                evidence=(refused.number, early.number),
            )
            return


def _half_way(wait: Kept, waits: Sequence[Kept]) -> Iterator[Finding]:
    half, after = wait.half, wait.after
    if half is None:
        return
    if wait.promised_s >= _LONG_S:
        yield Finding(
            TIGHT,
            held=half.outcome == LIMITED,
            expected=f"a request half way through {wait.promised_s:g} s is refused",
            actual=f"{half.status} after {wait.promised_s / 2:g} s",
            evidence=(wait.refused.number, half.number),
        )
    undisturbed = any(one.half is None and one.after.outcome != LIMITED for one in waits)
    if half.outcome == LIMITED and undisturbed:
        yield Finding(
            POSTPONED,
            held=after.outcome != LIMITED,
            expected=f"a request {wait.promised_s:g} s after a refusal passes, others having been refused in between",
            actual=f"{after.status} a second after that, and a wait in which nothing was sent was kept",
            evidence=(wait.refused.number, half.number, after.number),
        )
