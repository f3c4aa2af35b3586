"""Driving the limited key over its limit, once: does the 429 come, is it the key's own, is Retry-After kept?"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from testcard.conformance import case
from testcard.conformance.judge.evidence import attempts
from testcard.conformance.probe.probe import Cost, Probe
from testcard.conformance.retryafter import BadRetryAfter, retry_after_s
from testcard.conformance.session import Session
from testcard.core import outcome
from testcard.core.exchange import Exchange, Request
from testcard.core.record import Finding
from testcard.core.runfile import Skip
from testcard.core.target import Limit

_JUDGED = frozenset({"limit.enforced", "limit.retry-after", "limit.retry-after-honest", "limit.per-key"})
_BEYOND = 3
"""How many requests more than the limit are sent before it counts as not enforced."""
_AT_ONCE = 16


def _cost(session: Session) -> Cost:
    """A burst of bodies that cost nothing, one of pictures where those do not count, and a second burst where the
    first left a doubt.
    """
    limit = session.contract.target.limited
    if limit is None:
        return Cost(0, 0, 0.0)
    most = limit.requests + _BEYOND
    return Cost(3 * most + 2, most, limit.window_s)


def _run(session: Session) -> None:
    """Send on the limited key until it refuses: bodies that cost nothing first, pictures only if they don't count."""
    limit = session.contract.target.limited
    if limit is None:
        return
    answers = _until_refused(session, limit)
    refused = next((exchange for exchange in reversed(answers) if exchange.status == 429), None)
    if refused is None:
        _never_refused(session, limit, answers)
        return
    plausible = _plausible(answers, limit)
    if plausible:
        _enforced(session, limit, answers, held=True)
    _per_key(session, refused)
    again = _honest(session, refused, limit)
    if not plausible and again is not None:
        # More passed than the limit allows, but the first burst may have straddled two windows. Retry-After has
        # brought us to the beginning of one: the second burst cannot.
        second = [again, *_burst(session, limit, start=len(answers))]
        _enforced(session, limit, second, held=second[-1].status == 429)


def _never_refused(session: Session, limit: Limit, answers: list[Exchange]) -> None:
    """Whether more came, and faster, than any limiter of that limit lets through, or it refuses with a 5xx."""
    pictures = [exchange for exchange in answers if exchange.succeeded]
    span = pictures[-1].sent_s - pictures[0].sent_s if pictures else 0.0
    within, over = answers[: limit.requests], answers[limit.requests : limit.requests + _BEYOND]
    by_error = bool(over) and all(map(_failed, over)) and not any(map(_failed, within))
    if by_error or len(pictures) > limit.requests + limit.rate_per_s * span:
        _enforced(session, limit, answers, held=False)
    reason = f"no 429 came, and {len(pictures)} pictures in {span:.1f} s"
    for requirement in sorted(_JUDGED):
        session.find(Skip(requirement, outcome.NOT_JUDGED, reason))


def _failed(exchange: Exchange) -> bool:
    return exchange.status is not None and exchange.status >= 500


def _enforced(session: Session, limit: Limit, answers: list[Exchange], *, held: bool) -> None:
    session.find(
        Finding(
            "limit.enforced",
            held=held,
            expected=f"429 after {limit.requests} requests in {limit.window_s:g} s",
            actual=f"{len(answers)} requests, the last answered {answers[-1].status if answers else 'nothing'}",
            evidence=(answers[-1].number,) if answers else (),
        )
    )


def _until_refused(session: Session, limit: Limit) -> list[Exchange]:
    answers = _burst(session, limit)
    if not any(exchange.status == 429 or exchange.response is None for exchange in answers):
        answers += _pictures(session, limit, start=len(answers))
    return answers


def _burst(session: Session, limit: Limit, start: int = 0) -> list[Exchange]:
    """Bodies that cost nothing, until one is refused for the limit; at most three more than it allows."""
    answers: list[Exchange] = []
    for number in _numbers(limit, start):
        if session.closed:
            break
        answers.append(_sent(session, case.refusable(session.asker, "limited", number)))
        if answers[-1].status == 429 or answers[-1].response is None:
            break
    return answers


def _pictures(session: Session, limit: Limit, start: int) -> list[Exchange]:
    """Pictures, at most three more than the limit allows, all at once: one after the other a slow server's would
    never come near its limit."""
    requests = [case.billable(session.asker, "limited", number) for number in _numbers(limit, start)]
    with ThreadPoolExecutor(min(len(requests), _AT_ONCE), thread_name_prefix="limited") as pool:
        answers = list(pool.map(lambda request: _sent(session, request), requests))
    return sorted(answers, key=lambda exchange: exchange.sent_s)


def _numbers(limit: Limit, start: int) -> range:
    return range(start + 1, start + limit.requests + _BEYOND + 1)


def _sent(session: Session, request: Request) -> Exchange:
    """The answer; where the connection closed without one, that of another connection."""
    exchange = session.sender.send(request)
    for attempt in range(2, attempts(request) + 1):
        if exchange.failure is None or exchange.failure.kind != "closed" or session.closed:
            break
        exchange = session.sender.send(request, attempt=attempt)
    return exchange


def _plausible(answers: list[Exchange], limit: Limit) -> bool:
    """Whether the number that passed fits the limit: all of them counted, or only those that brought pictures."""
    passed = [exchange for exchange in answers if exchange.status != 429]
    span = answers[-1].sent_s - answers[0].sent_s
    most = limit.requests + _BEYOND + limit.rate_per_s * span  # a bucket refills meanwhile
    pictures = sum(exchange.succeeded for exchange in passed)
    return len(passed) <= most or limit.requests <= pictures <= most


def _per_key(session: Session, refused: Exchange) -> None:
    if session.unmet("limit.per-key") is not None:
        return
    other = _sent(session, case.refusable(session.asker, "second", 1))
    if other.response is None:
        return
    session.find(
        Finding(
            "limit.per-key",
            held=other.status != 429,
            expected="the second key is served while the limited one is refused",
            actual=f"{other.status} for the second key",
            evidence=(refused.number, other.number),
        )
    )


def _honest(session: Session, refused: Exchange, limit: Limit) -> Exchange | None:
    """Wait as the refusal says, and a second more: the header speaks in whole seconds. Returns what came then."""
    name = "limit.retry-after-honest"
    try:
        wait = retry_after_s(refused.response) if refused.response else None
    except BadRetryAfter as error:
        session.find(Skip(name, outcome.NOT_JUDGED, f"there is no wait to keep: {error}"))
        return None
    if wait is None or not 0 <= wait.seconds <= 2 * limit.window_s + 5:
        session.find(Skip(name, outcome.NOT_JUDGED, "the wait that it asks for is not within twice the window"))
        return None
    due = time.monotonic() + wait.seconds + 1.0
    while time.monotonic() < due:
        if session.closed:
            return None
        time.sleep(0.05)
    again = _sent(session, case.refusable(session.asker, "limited", 0))
    if again.response is None:
        return None
    session.find(
        Finding(
            name,
            held=again.status != 429,
            expected=f"a request {wait.seconds:g} s after the refusal passes",
            actual=f"refused again with Retry-After: {again.response.header('retry-after')}",
            evidence=(refused.number, again.number),
        )
    )
    return again


LIMIT = Probe(
    name="limit",
    requires="limit.enforced",
    key="limited",
    judges=_JUDGED,
    gives=frozenset({"error.rate-limit"}),
    cost=_cost,
    run=_run,
)
