"""Good requests in flight at once: is each answered, with its own pictures?

They are those that the check needs anyway, so that not one picture more is bought. Some servers answer one after the
other: right, and slow. What fails is sent again, with the others that failed; what fails twice in company and is
answered alone fails for the company. What fails is few beside what was served, and might now be served as well: so the
other pictures that the check needs keep what was dropped company; after an error they are left for later, where they
show whether that error lasts. A documented refusal for lack of capacity (429, 503) is no failure.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from itertools import combinations

from testcard.conformance import case
from testcard.conformance.crosstalk import Flight, mixed_up, together
from testcard.conformance.judge.evidence import attempts, transient
from testcard.conformance.probe.patience import promise_s, sleep_until
from testcard.conformance.probe.probe import Cost, Probe
from testcard.conformance.session import Session
from testcard.core import outcome
from testcard.core.exchange import Exchange, Request
from testcard.core.record import Finding
from testcard.core.runfile import Skip

Again = tuple[Request, int]
"""A request, and which attempt at it comes next."""
ANSWERED, OWN, NO_ERROR = "concurrency.answered", "concurrency.own-picture", "concurrency.no-server-error"
_MOST = 8
_PATIENCE = 0.5
"""The share of the target's timeout that all of them may take, one after the other."""
_TWICE = 2
"""So many failures in either round are no chance: one server error in twenty makes that one check in ten thousand."""
_AT_RANDOM, _CHANCE = 0.05, 1e-4
"""Likewise fewer in the second round, if so many of the first failed that this is as rare."""
_LULL_S = 1.0
"""Between the rounds, lest one bad moment meets both."""
_CAPACITY = (429, 503)


def _run(session: Session) -> None:
    requests = _chosen(session)
    if len(requests) < _TWICE:
        reason = "fewer than two good requests could be in flight within half of the timeout, the budget and the limit"
        for requirement in sorted(_JUDGED):
            session.find(Skip(requirement, outcome.NOT_OBSERVED, reason))
        return
    known = frozenset(picture.sha256 for record in list(session.first) for picture in record.pictures)
    first = _at_once(session, requests, round_number=1)
    failed = _failed(session, first)
    company = _company(session, failed) if any(map(_dropped, first)) else []
    second = _at_once(session, failed, round_number=2, company=company)
    alone = [session.send_once(request, attempt) for request, attempt in _failed(session, second)]
    if session.closed or session.fatal is not None:
        return
    for exchange in (*first, *second, *alone):
        if not transient(exchange) or exchange.attempt >= attempts(exchange.request):
            session.remember(exchange)
    _failures(session, first, second, alone)
    _pictures(session, [*first, *second], known)


def _chosen(session: Session) -> list[Again]:
    """As many as a server that answers one after the other can answer in time, within budget and limit."""
    first = [exchange for exchange in session.answers if exchange.succeeded and exchange.last_byte_s is not None]
    took_s = min((e.last_byte_s - e.sent_s for e in first if e.last_byte_s is not None), default=0.0)
    limit, left = session.contract.target.limit, session.sender.budget.left
    most = min(_MOST, limit.requests - session.sender.requests) if limit is not None else _MOST
    chosen: list[Request] = []
    asked = {exchange.request.identity for exchange in session.answers}
    images = 0
    for request in case.together(session.asker):
        images += request.images
        in_time = images * took_s <= _PATIENCE * session.contract.target.timeout_s
        if request.identity not in asked and len(chosen) < most and in_time and (left is None or images <= left):
            chosen.append(request)
    return [(request, 1) for request in chosen]


def _company(session: Session, failed: Sequence[Again]) -> list[Request]:
    """Other good requests that the check has not asked yet, where several failed. They may be refused, and then were
    little company.
    """
    left = session.sender.budget.left
    room = None if left is None else left - sum(request.images for request, _ in failed)
    limit = session.contract.target.limit
    if len(failed) < _TWICE or (limit is not None and limit.requests - session.sender.requests < _MOST + len(failed)):
        return []
    chosen = [*case.undeclared_size(session.asker), *case.empty_prompt(session.asker)]
    return chosen if room is None or sum(request.images for request in chosen) <= room else []


def _at_once(
    session: Session, requests: Sequence[Again], round_number: int, company: Sequence[Request] = ()
) -> list[Exchange]:
    """The answers to all of them, sent at the same time."""
    answers: list[Exchange] = []

    def ask(request: Request, attempt: int) -> None:
        answers.append(session.send_once(request, attempt))

    every = [*requests, *((request, 1) for request in company)]
    names = [f"in flight, round {round_number}, request {number}" for number in range(len(every))]
    for name, (request, attempt) in zip(names, every, strict=True):
        session.background(name, partial(ask, request, attempt))
    for name in names:
        session.crew.wait_for(name)
    return sorted(answers, key=lambda exchange: exchange.number)


def _failed(session: Session, answers: Sequence[Exchange]) -> list[Again]:
    """What is to be sent again, when the longest of the waits that were asked for has passed."""
    failed = [exchange for exchange in answers if transient(exchange)]
    if failed:
        began = time.monotonic()
        session.pause(max(failed, key=lambda exchange: promise_s(exchange) or 0.0), failed[0].attempt)
        if len(failed) >= _TWICE:
            sleep_until(session, began + _LULL_S)
    return [(exchange.request, exchange.attempt + 1) for exchange in failed]


def _failures(
    session: Session, first: Sequence[Exchange], second: Sequence[Exchange], alone: Sequence[Exchange]
) -> None:
    """What failed twice in company, and is answered alone. What is answered nowhere fails for itself."""
    answered = {exchange.request.identity for exchange in (*second, *alone) if not transient(exchange)}
    for requirement, is_failure, expected in (
        (ANSWERED, _dropped, "an answer, as when it is sent alone"),
        (NO_ERROR, _server_error, "no server error, as when it is sent alone"),
    ):
        once, twice = (
            [e for e in answers if is_failure(e) and e.request.identity in answered] for answers in (first, second)
        )
        by_company = bool(twice) and _no_chance((len(once), len(first)), (len(twice), len(second)))
        actual = f"{len(once)} of {len(first)} in flight together, then {len(twice)} of {len(second)}: {_said(twice)}"
        numbers = tuple(exchange.number for exchange in (*once, *twice, *alone) if by_company)
        session.find(
            Finding(
                requirement,
                held=not by_company,
                expected=expected,
                actual=actual,
                evidence=numbers or tuple(exchange.number for exchange in first),
            )
        )


def _no_chance(*rounds: tuple[int, int]) -> bool:
    """Whether so many failures of so many in each round are more than errors at random."""
    if all(failed >= _TWICE for failed, _ in rounds):
        return True
    return math.prod(_at_least(failed, sent) for failed, sent in rounds) <= _CHANCE


def _at_least(failed: int, sent: int) -> float:
    """The probability of so many failures or more, if each request fails by itself."""
    return sum(
        math.comb(sent, count) * _AT_RANDOM**count * (1 - _AT_RANDOM) ** (sent - count)
        for count in range(failed, sent + 1)
    )


def _dropped(exchange: Exchange) -> bool:
    return exchange.response is None and exchange.failure is not None


def _server_error(exchange: Exchange) -> bool:
    return exchange.status is not None and exchange.status >= 500 and exchange.status not in _CAPACITY


def _said(answers: Sequence[Exchange]) -> str:
    return str(answers[0].status or answers[0].failure) if answers else "nothing"


def _pictures(session: Session, answers: Sequence[Exchange], known: frozenset[str]) -> None:
    """Whether each answer brings the pictures that its own request asked for."""
    flights = [Flight.of(exchange, session.contract) for exchange in answers if exchange.succeeded]
    if not any(together(one.exchange, other.exchange) for one, other in combinations(flights, 2)):
        session.find(Skip(OWN, outcome.NOT_OBSERVED, "no two good answers were under way at the same time"))
        return
    for flight, other, sign in mixed_up(flights, known):
        numbers = (flight.exchange.number, other.exchange.number)
        session.find(
            Finding(
                OWN,
                held=False,
                expected=f"the pictures of its own request ({flight.exchange.request.case})",
                actual=f"those of another in flight ({other.exchange.request.case}): {sign}",
                evidence=numbers,
            )
        )
        return
    session.find(Finding(OWN, held=True, evidence=tuple(flight.exchange.number for flight in flights)))


_JUDGED = frozenset({ANSWERED, OWN, NO_ERROR})
CONCURRENCY = Probe(
    name="concurrency",
    requires=ANSWERED,
    judges=_JUDGED,
    cost=lambda _: Cost(0, 0, 0.0),
    run=_run,
    when="first",
)
