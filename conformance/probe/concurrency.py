"""Good requests in flight at once: is each answered, with its own pictures?

They are those that the check needs anyway, so that not one picture more is bought. Some servers answer one after the
other: right, and slow. What fails is sent again, with the others that failed; what fails twice in company and is
answered alone fails for the company. A documented refusal for lack of capacity (429, 503) is no failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations

from testcard.conformance import case
from testcard.conformance.crosstalk import Flight, mixed_up, together
from testcard.conformance.judge.evidence import attempts, transient
from testcard.conformance.probe.patience import promise_s
from testcard.conformance.probe.probe import Cost, Probe
from testcard.conformance.session import Session
from testcard.core import outcome
from testcard.core.exchange import Exchange, Request
from testcard.core.record import Finding
from testcard.core.runfile import Skip

ANSWERED, OWN, NO_ERROR = "concurrency.answered", "concurrency.own-picture", "concurrency.no-server-error"
_MOST = 8
_PATIENCE = 0.5
"""The share of the target's timeout that all of them may take, one after the other."""
_TWICE = 2
"""So many must fail twice in company: one server error in twenty makes that one check in ten thousand."""
_CAPACITY = (429, 503)


def _run(session: Session) -> None:
    requests = _chosen(session)
    if len(requests) < _TWICE:
        reason = "fewer than two good requests could be in flight within half of the timeout, the budget and the limit"
        for requirement in sorted(_JUDGED):
            session.find(Skip(requirement, outcome.NOT_OBSERVED, reason))
        return
    known = frozenset(picture.sha256 for record in list(session.first) for picture in record.pictures)
    first = _at_once(session, requests, attempt=1)
    second = _at_once(session, _failed(session, first, attempt=1), attempt=2)
    alone = [session.send_once(request, attempt=3) for request in _failed(session, second, attempt=2)]
    if session.closed or session.fatal is not None:
        return
    for exchange in (*first, *second, *alone):
        if not transient(exchange) or exchange.attempt >= attempts(exchange.request):
            session.remember(exchange)
    _failures(session, first, second, alone)
    _pictures(session, [*first, *second], known)


def _chosen(session: Session) -> list[Request]:
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
    return chosen


def _at_once(session: Session, requests: Sequence[Request], attempt: int) -> list[Exchange]:
    """The answers to all of them, sent at the same time."""
    answers: list[Exchange] = []

    def ask(request: Request) -> None:
        answers.append(session.send_once(request, attempt))

    names = [f"in flight, round {attempt}, request {number}" for number in range(len(requests))]
    for name, request in zip(names, requests, strict=True):
        session.background(name, partial(ask, request))
    for name in names:
        session.crew.wait_for(name)
    return sorted(answers, key=lambda exchange: exchange.number)


def _failed(session: Session, answers: Sequence[Exchange], attempt: int) -> list[Request]:
    """What is to be sent again, when the longest of the waits that were asked for has passed."""
    failed = [exchange for exchange in answers if transient(exchange)]
    if failed:
        session.pause(max(failed, key=lambda exchange: promise_s(exchange) or 0.0), attempt)
    return [exchange.request for exchange in failed]


def _failures(
    session: Session, first: Sequence[Exchange], second: Sequence[Exchange], alone: Sequence[Exchange]
) -> None:
    """What failed twice in company, and is answered alone."""
    answered = {exchange.request.identity for exchange in alone if not transient(exchange)}
    for requirement, is_failure, expected in (
        (ANSWERED, _dropped, "an answer, as when it is sent alone"),
        (NO_ERROR, _server_error, "no server error, as when it is sent alone"),
    ):
        once = [exchange for exchange in first if is_failure(exchange)]
        twice = [exchange for exchange in second if is_failure(exchange)]
        by_company = len(once) >= _TWICE and len(twice) >= _TWICE and answered & {e.request.identity for e in twice}
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
