"""Keeping the wait that a refusal asks for: well before it has passed a request is refused, after it one passes.

Rule 1: between a refusal and the request that its promise is judged by, nothing is sent, or what was sent is not
held against the promise: some limiters count what they refuse.
Rule 2: Retry-After speaks in whole seconds, and a date is rounded twice: a second is no difference.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from testcard.conformance import case
from testcard.conformance.probe.burst import BEYOND, Burst, sent
from testcard.conformance.retryafter import BadRetryAfter, retry_after_s
from testcard.conformance.session import Session
from testcard.core import outcome
from testcard.core.exchange import Exchange
from testcard.core.record import Finding
from testcard.core.runfile import Skip

HONEST, TIGHT, POSTPONED = "limit.retry-after-honest", "limit.retry-after-tight", "limit.refusals-free"

_LEAST_S = 5.0
"""Half of a shorter wait is too near to it to tell a pessimist from somebody who rounds."""
_SOON_S = 1.0
_LATER_S = 2.0
_LATER = 0.25
"""So much may a second refusal's promise lie after the first one's, as a share of the wait: some add a jitter."""

_PICTURES = 2
"""Both requests may bring one, where only pictures count."""


@dataclass
class Kept:
    """What came of keeping the wait."""

    since: list[Exchange] = field(default_factory=list)
    """What was let through since the burst was refused."""
    passed_at: list[float] = field(default_factory=list)
    """When, on `time.monotonic()`."""
    wait_s: float | None = None
    """What the refusal asked for, as far as it could be kept."""
    refused_at: float = 0.0
    """On `time.monotonic()`: since when nothing was refused that a limiter may have counted."""
    late: bool = False
    """The wait was longer than needed."""
    images: int = 0
    """Pictures that these requests brought."""


def keep_wait(session: Session, burst: Burst, refused: Exchange) -> Kept:
    """Ask again at half of the wait, and a second after it."""
    kept = Kept(refused_at=burst.ended)
    wait_s = _asked_for(session, refused, 2 * burst.limit.window_s + 5)
    if wait_s is None:
        return kept
    kept.wait_s = wait_s
    due, postponed = burst.ended + wait_s, False
    early = _halfway(session, burst, kept, wait_s)
    if early is not None and early.status != 429:
        if _in_time(refused, early, wait_s):
            _too_late(session, kept, refused, early, wait_s)
        else:
            kept.late = True
            _honest(session, refused, early, wait_s, held=True)
        return kept
    if early is not None:
        session.find(Finding(TIGHT, held=True, evidence=(refused.number, early.number)))
        due, postponed = _due(due, wait_s, early)
    answer = _ask_at(session, burst, kept, due + 1.0)
    if answer is None:
        return kept
    if answer.status == 429 and postponed and early is not None:
        _undisturbed(session, burst, kept, (refused, early, answer), wait_s)
        return kept
    if answer.status == 429:
        again, later_s = _alone(session, burst, kept)
        if again.status != 429 and later_s > _SOON_S:
            reason = "a request that had waited so long was refused beside others, and passed alone some time later"
            session.find(Skip(HONEST, outcome.NOT_JUDGED, reason))
            return kept
        answer = again if again.status != 429 else answer
    _honest(session, refused, answer, wait_s, held=answer.status != 429)
    if early is not None and answer.status != 429:
        session.find(Finding(POSTPONED, held=True, evidence=(early.number, answer.number)))
    return kept


def _halfway(session: Session, burst: Burst, kept: Kept, wait_s: float) -> Exchange | None:
    """The answer to a request at half of the wait, where that is far enough from its end and affordable."""
    if wait_s < _LEAST_S or (burst.by_picture and affordable(burst, kept) < _PICTURES):
        return None
    return _ask_at(session, burst, kept, burst.ended + wait_s / 2)


def _in_time(refused: Exchange, early: Exchange, wait_s: float) -> bool:
    """Whether it was answered so long before the promised moment that rounding explains nothing: what was sent in
    between may have kept us, or it was under way for long.
    """
    since, until = refused.last_byte_s, early.last_byte_s
    return since is not None and until is not None and until - since <= wait_s - _LATER_S


def _due(due: float, wait_s: float, early: Exchange) -> tuple[float, bool]:
    """When a request should pass, a second refusal having named a moment too, and whether that lies much later."""
    again = promise_s(early)
    then = due if again is None else time.monotonic() + again
    if then - due > max(_LATER_S, _LATER * wait_s):
        return due, True
    return max(due, then), False


def _alone(session: Session, burst: Burst, kept: Kept) -> tuple[Exchange, float]:
    """The answer when nothing else is under way, and how long that took to be so: a server may have no room for two."""
    began = time.monotonic()
    with session.alone():
        later_s = time.monotonic() - began
        return ask(session, burst, kept), later_s


def _undisturbed(
    session: Session, burst: Burst, kept: Kept, refusals: tuple[Exchange, Exchange, Exchange], wait_s: float
) -> None:
    """Refused at the promised moment, and the refusal in between had announced it. Was it our own request that
    postponed the moment? Now nothing is sent until the next one.
    """
    refused, early, answer = refusals
    more_s = promise_s(answer)
    if more_s is None:
        return
    kept.refused_at = time.monotonic()
    last = _ask_at(session, burst, kept, kept.refused_at + min(more_s, 2 * burst.limit.window_s) + 1.0)
    if last is None:
        return
    _honest(session, answer, last, more_s, held=last.status != 429)
    if last.status != 429:
        session.find(
            Finding(
                POSTPONED,
                held=False,
                expected=f"a request {wait_s:g} s after the first refusal passes, although one was refused in between",
                actual=f"refused again, and let through {more_s:g} s later, when nothing was sent in between",
                evidence=(refused.number, early.number, answer.number),
            )
        )


def promise_s(exchange: Exchange) -> float | None:
    """The wait that a refusal asks for; None where it names none."""
    try:
        return retry_after_s(exchange.response).seconds if exchange.response else None
    except BadRetryAfter:
        return None


def sleep_until(session: Session, moment: float) -> bool:
    """Sleep until a moment of `time.monotonic()`; whether the check still runs then."""
    while (left := moment - time.monotonic()) > 0:
        if session.closed:
            return False
        time.sleep(min(left, 0.05))
    return not session.closed


def _asked_for(session: Session, refused: Exchange, longest_s: float) -> float | None:
    try:
        wait = retry_after_s(refused.response) if refused.response else None
    except BadRetryAfter as error:
        session.find(Skip(HONEST, outcome.NOT_JUDGED, f"there is no wait to keep: {error}"))
        return None
    if wait is None or not 0 <= wait.seconds <= longest_s:
        session.find(Skip(HONEST, outcome.NOT_JUDGED, "the wait that it asks for is not within twice the window"))
        return None
    return wait.seconds


def affordable(burst: Burst, kept: Kept) -> int:
    """How many pictures more the limited key may bring: three more than its limit in all."""
    return burst.limit.requests + BEYOND - burst.pictures - kept.images


def _ask_at(session: Session, burst: Burst, kept: Kept, moment: float) -> Exchange | None:
    """The answer to a request that counts, sent at that moment; None where there is none that says anything."""
    if not sleep_until(session, moment):
        return None
    exchange = ask(session, burst, kept)
    return exchange if exchange.response is not None and exchange.response.status < 500 else None


def ask(session: Session, burst: Burst, kept: Kept) -> Exchange:
    """One more request of the kind that the limiter counts: one that costs nothing, if that does."""
    number = len(burst.answers) + len(kept.since) + 1
    pictures = burst.by_picture and affordable(burst, kept) > 0
    request = (case.billable if pictures else case.refusable)(session.asker, "limited", number)
    exchange = sent(session, request)
    kept.images += exchange.succeeded
    if exchange.response is not None and exchange.status != 429:
        kept.since.append(exchange)
        kept.passed_at.append(time.monotonic())
    return exchange


def _honest(session: Session, refused: Exchange, answer: Exchange, wait_s: float, *, held: bool) -> None:
    said = answer.response.header("retry-after") if answer.response else None
    session.find(
        Finding(
            HONEST,
            held=held,
            expected=f"a request {wait_s:g} s after the refusal passes",
            actual=f"refused again with Retry-After: {said}",
            evidence=(refused.number, answer.number),
        )
    )


def _too_late(session: Session, kept: Kept, refused: Exchange, early: Exchange, wait_s: float) -> None:
    """One passes at half of the wait, and so would have passed after all of it."""
    kept.late = True
    _honest(session, refused, early, wait_s, held=True)
    session.find(
        Finding(
            TIGHT,
            held=False,
            expected=f"Retry-After: {wait_s:g} means that a request {wait_s / 2:g} s after the refusal is refused",
            actual=f"it passes ({early.status})",
            evidence=(refused.number, early.number),
        )
    )
