"""Whether a key is granted its limit: no refusal before so many requests were let through as are declared.

Two things make an early refusal right. The key may have been in use before: then a whole window after the refusal it
no longer counts. And a limit may be enforced over shorter spans than its window, as a bucket or a second tier does
(Anthropic's rate limit page: "60 requests per minute might be enforced as 1 request per second"): then the next
request is let through as soon as those before it have been paid for at the declared rate.
"""

from __future__ import annotations

import math
import time

from testcard.conformance.probe.burst import Burst
from testcard.conformance.probe.patience import Kept, affordable, ask, promise_s, sleep_until
from testcard.conformance.session import Session
from testcard.core import outcome
from testcard.core.exchange import Exchange
from testcard.core.record import Finding
from testcard.core.runfile import Skip

GRANTED = "limit.granted"
_SLACK_S = 0.25
_ROUNDING_S = 1.0
_NEAR, _NEAR_S = 0.75, 3.0
"""A window's end is near if it is within this share of it, or within half of it and so many seconds."""


def granted(session: Session, burst: Burst, kept: Kept) -> None:
    """Judge by the first burst, or by what passes in the window after it."""
    if not burst.short:
        numbers = [exchange.number for exchange in burst.passed]
        session.find(Finding(GRANTED, held=True, evidence=tuple(numbers[:1])))
        return
    requests = burst.limit.requests
    if not sleep_until(session, _fresh(burst, kept)):
        return
    within = [moment > time.monotonic() - burst.limit.window_s for moment in kept.passed_at]
    kept.since = [exchange for exchange, recent in zip(kept.since, within, strict=True) if recent]
    kept.passed_at = [moment for moment, recent in zip(kept.passed_at, within, strict=True) if recent]
    refused: Exchange | None = None
    last = time.monotonic()
    while refused is None and len(kept.since) < requests:
        if burst.by_picture and affordable(burst, kept) < 1:
            reason = f"{burst.pictures} of {requests} pictures passed, and no more may be bought to see why"
            session.find(Skip(GRANTED, outcome.NOT_JUDGED, reason))
            return
        exchange = ask(session, burst, kept)
        if exchange.response is None:
            session.find(Skip(GRANTED, outcome.NOT_JUDGED, f"no answer: {exchange.failure}"))
            return
        if exchange.status == 429:
            refused = exchange
        else:
            last = time.monotonic()
    paid_s = len(kept.since) * burst.limit.window_s / requests
    if refused is not None and not _by_its_word(refused, paid_s, kept):
        refused = _still_refused(session, burst, kept, refused, last + paid_s + _SLACK_S)
    session.find(_finding(burst, kept, refused))


def _fresh(burst: Burst, kept: Kept) -> float:
    """When nothing from before the refusal counts any more, and no window of the clock is about to end.

    Windows of the clock turn when the wait has passed. Soon after the next turn, so much of one is left that two
    of them cannot be taken for one.
    """
    window_s = burst.limit.window_s
    near_s = max(_NEAR * window_s, window_s / 2 + _NEAR_S)
    turn_s = kept.wait_s if kept.wait_s is not None and kept.wait_s <= min(near_s, window_s - 1) else 0.0
    return kept.refused_at + turn_s + window_s + (2.0 if turn_s else 1.0)


def _by_its_word(refused: Exchange, paid_s: float, kept: Kept) -> bool:
    """Whether it asks for more patience than a limiter of the declared rate ever needs."""
    wait_s = promise_s(refused)
    return wait_s is not None and not kept.late and wait_s > math.ceil(paid_s) + _ROUNDING_S


def _still_refused(session: Session, burst: Burst, kept: Kept, refused: Exchange, paid: float) -> Exchange | None:
    """The refusal that stands when the declared rate has paid for everything; None where one passes till then."""
    wait_s = promise_s(refused)
    soon = paid if wait_s is None else min(paid, time.monotonic() + wait_s + _ROUNDING_S)
    for moment in dict.fromkeys((soon, paid)):
        if not sleep_until(session, moment):
            return None
        exchange = ask(session, burst, kept)
        if exchange.status != 429:
            return None
        refused = exchange
    return refused


def _finding(burst: Burst, kept: Kept, refused: Exchange | None) -> Finding:
    limit, passed = burst.limit, len(kept.since)
    said = refused.response.header("retry-after") if refused is not None and refused.response else None
    return Finding(
        GRANTED,
        held=refused is None,
        expected=f"{limit.requests} requests in {limit.window_s:g} s, if need be at an even pace",
        actual=f"429 with Retry-After: {said} after {passed} in a window in which nothing else was sent",
        evidence=(refused.number,) if refused is not None else tuple(e.number for e in kept.since[:1]),
    )
