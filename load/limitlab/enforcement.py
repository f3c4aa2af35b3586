"""Whether a limiter admits what is declared, no more and no less. Pure functions of an investigation's records."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from testcard.core import outcome
from testcard.core.record import Finding, Record
from testcard.core.runfile import Skip
from testcard.load.limitlab.plan import BEYOND, IDENTIFY, KEEP, LimitPlan
from testcard.load.limitlab.reading import after_rest, bodies_count, let_through, own, waves
from testcard.load.limitlab.replay import Read
from testcard.load.limitlab.standin import LIMITED
from testcard.load.ratelimit import CONCURRENCY

ENFORCED, EXACT, GRANTED = "limit.enforced", "limit.exact", "limit.granted"
_SURE, _SAME = 0.95, 0.05
_WINDOWS = ("fixed-clock", "fixed-first", "sliding-log", "stepped-window")
"""Kinds that admit the same number in every window; which of them it is does not matter here."""
_MOST_SPANS = 12
_ABOUT = 2
"""Times its size, as much as a cap may let pass of one wave: places come back while the wave is sent."""


def enforcement(read: Read, limit: LimitPlan) -> Iterator[Finding | Skip]:
    """Judged by a 429 that came, by what certainly passed, and by the limiter where its window is beyond doubt."""
    declared = f"{limit.requests} requests in {limit.window_s:g} s"
    refused = [record for record in own(read.records) if record.outcome == LIMITED]
    if read.instead is not None:
        numbers = tuple(record.number for record in refused[:3])
        instead = f"{read.instead} in its place, {len(refused)} times"
        yield Finding(ENFORCED, held=False, expected=f"429 over {declared}", actual=instead, evidence=numbers)
        return
    if refused and CONCURRENCY in (read.fitted.kind, *read.fitted.alternatives) and _may_be_a_cap(read.records):
        reason = "what is refused are requests that come while others are under way: a cap, and no limit in a window"
        yield Skip(ENFORCED, outcome.NOT_JUDGED, reason)
        return
    passed = [one for one in own(read.records) if let_through(one)]
    counting = bodies_count(read.records) if refused else False
    certain = _too_many([one for one in passed if counting or not one.violates], limit)
    if certain is not None:
        count, spans, last = certain
        actual = f"{count} passed within {spans * limit.window_s:g} s"
        yield Finding(ENFORCED, held=False, expected=f"429 over {declared}", actual=actual, evidence=(last,))
        return
    over = _over_after_rest(read.records, limit)
    if over is not None and over > BEYOND:
        actual = f"at least {limit.most_at_once + over} passed at once after each window's rest"
        yield Finding(
            ENFORCED, held=False, expected=f"429 over {declared}", actual=actual, evidence=(refused[-1].number,)
        )
        return
    if over is not None and over >= 0 and limit.most_at_once == limit.requests and counting:
        actual = f"{limit.requests + over} passed, each time that a window had gone by"
        yield Finding(EXACT, held=over == 0, expected=declared, actual=actual, evidence=(refused[-1].number,))
    if not refused:
        pictures = sum(not one.violates for one in passed)
        passing = "1 picture" if pictures == 1 else f"{pictures} pictures"
        reason = f"no 429 came, nor did more pass than a limiter of that limit may let through: {passing} passed"
        yield Skip(ENFORCED, outcome.NOT_JUDGED, reason)
        return
    admitted = read.fitted.limit.value if read.fitted.limit is not None else 0.0
    broken = _otherwise(read, limit)
    if broken is not None:
        actual = f"{admitted:.3g} in {limit.window_s:g} s, then 429, window after window"
        yield Finding(broken, held=False, expected=declared, actual=actual, evidence=(refused[0].number,))
    if broken != ENFORCED:
        count = sum(record.stage == IDENTIFY for record in read.records)
        times = sum(record.stage == IDENTIFY for record in refused)
        actual = f"{times} of {count} requests were refused"
        yield Finding(
            ENFORCED, held=True, expected=f"429 over {declared}", actual=actual, evidence=(refused[0].number,)
        )
    if broken is None:
        yield from _granted(read.records, limit)


def _granted(records: Sequence[Record], limit: LimitPlan) -> Iterator[Finding]:
    """Held where after a rest so many passed at once; a limit may be enforced over shorter spans as well."""
    for wave in waves([record for record in records if record.stage == KEEP]):
        passed = [one for one in wave if let_through(one)]
        if len(passed) >= limit.requests:
            yield Finding(GRANTED, held=True, evidence=(passed[-1].number,))
            return


def _may_be_a_cap(records: Sequence[Record]) -> bool:
    """Whether every wave with a refusal in it let as many pass as a cap would, which has its places free by then."""
    every = [[one.outcome == LIMITED for one in wave] for wave in waves(own(records))]
    least = min((wave.count(False) for wave in every if any(wave)), default=0)
    return _ABOUT * least >= max(wave.count(False) for wave in every)


def _over_after_rest(records: Sequence[Record], limit: LimitPlan) -> int | None:
    """By how many more than the limit passed at once after a window without requests, the least of several times.

    One such burst may meet the middle of two windows, several don't: they do not begin by the clock. What a bucket gets
    back meanwhile is taken off.
    """
    found = []
    for burst in after_rest(records, limit.window_s):
        span = max(one.last_byte_s or 0.0 for one in burst) - min(one.sent_s or 0.0 for one in burst)
        back = math.floor(span * limit.requests / limit.window_s)
        found.append(sum(let_through(one) for one in burst) - limit.most_at_once - back)
    return min(found) if len(found) > 1 else None


def _too_many(passed: Sequence[Record], limit: LimitPlan) -> tuple[int, int, int] | None:
    """How many passed within how many windows, if more than any limiter admits; and the last of them.

    Two windows may meet in the middle of any span, and a full bucket empty at its beginning: within k windows k + 1
    times the limit is right. A request counts where it was sent and answered within the span: one that waits in a
    queue may have been admitted at any moment between.
    """
    ordered = sorted(passed, key=lambda one: one.last_byte_s or 0.0)
    sent = sorted(one.sent_s or 0.0 for one in ordered)
    ends = [one.last_byte_s or 0.0 for one in ordered]
    for windows in range(1, _MOST_SPANS + 1):
        span = windows * limit.window_s
        for begin in sent:
            last = bisect_left(ends, begin + span)
            count = last - bisect_left(sent, begin)
            if count > (windows + 1) * limit.most_at_once + BEYOND:
                return count, windows, ordered[last - 1].number
    return None


def _otherwise(read: Read, limit: LimitPlan) -> str | None:
    """What is broken by a window of the declared length that certainly admits another number than declared."""
    fitted = read.fitted
    if fitted.kind not in _WINDOWS or fitted.limit is None or fitted.window_s is None:
        return None
    if sum(read.shares[kind] for kind in _WINDOWS) < _SURE:
        return None
    sure = min(fitted.limit.confidence, fitted.window_s.confidence) >= _SURE
    if not sure or abs(fitted.window_s.value - limit.window_s) > _SAME * limit.window_s:
        return None
    if fitted.limit.value < limit.requests:
        return GRANTED
    return ENFORCED if fitted.limit.value > limit.most_at_once + BEYOND else None
