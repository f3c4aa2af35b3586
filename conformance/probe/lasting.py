"""Good requests that are answered with a 500 each time, while others are served.

One 500 is a bad moment, and three in a row may be an outage: then others fail as well. Where others were served before
and after, it is this body that the server fails at, or chance: of a server that fails at one request in five, one check
in fifteen sees three in a row. So it is asked again until it is served, or until chance is out of the question at the
rate at which all the others failed. What it brings then is the picture that it was to bring in the first place. Where
nothing was served after it, one that was served before is asked once more: an outage would meet that as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from testcard.conformance.judge.evidence import attempts, transient
from testcard.conformance.probe.probe import Cost, Probe
from testcard.conformance.session import Session
from testcard.core import outcome
from testcard.core.exchange import Exchange
from testcard.core.record import Finding
from testcard.core.runfile import Skip

_NAME = "generate.no-lasting-error"
_CAPACITY = 503  # an error that may well last
_CHANCE = 1e-3
"""How often a check may take chance for a lasting error."""
_MOST_TIMES = 12


def _run(session: Session) -> None:
    answers = [e for e in session.answers if e.request.requirement is not None and not e.request.may_refuse]
    served = [e.number for e in session.answers if e.succeeded and e.request.to_generate and not e.request.violations]
    lasting = [e for e in answers if _failed_each_time(e) and min(served, default=e.number) < e.number]
    if any(exchange.number > max(served) for exchange in lasting):
        served += _served_again(session, served)
        lasting = [exchange for exchange in lasting if exchange.number < max(served)]
    refuted = 0
    for exchange in lasting:
        last = _asked_again(session, exchange, needed(_failure_rate(session.answers, exchange), len(answers)))
        if last is None:
            continue
        refuted += 1
        session.find(
            Finding(
                _NAME,
                held=False,
                expected="an answer, as other good requests get",
                actual=f"{last.status} {last.attempt} times ({last.request.case})",
                evidence=(exchange.number, last.number) if last is not exchange else (exchange.number,),
            )
        )
    if served and not refuted:
        session.find(Finding(_NAME, held=True, evidence=tuple(served)))
    elif not served:
        session.find(Skip(_NAME, outcome.NOT_JUDGED, "no good request was served"))


def _served_again(session: Session, served: Sequence[int]) -> list[int]:
    """The smallest request that was served, if it is once more: a picture in the place of one that failed."""
    good = min((e for e in session.answers if e.number in served), key=lambda e: e.request.images)
    left = session.sender.budget.left
    if session.closed or (left is not None and left < good.request.images):
        return []
    again = session.send_once(good.request, good.attempt + 1)
    return [again.number] if again.succeeded else []


def _failure_rate(answers: Sequence[Exchange], suspect: Exchange) -> float:
    """The share of attempts that failed among all other generations; a little more where few were made."""
    others = [e for e in answers if e is not suspect and e.request.to_generate and e.request.credentialed]
    attempts_made = sum(exchange.attempt for exchange in others)
    failed = sum(exchange.attempt - (not transient(exchange)) for exchange in others)
    return (failed + 1) / (attempts_made + 2)


def needed(rate: float, requests: int) -> int | None:
    """How often one of so many requests has to fail in a row to be no chance; None: more often than we would ask."""
    if rate >= 1:
        return None
    times = math.ceil(math.log(_CHANCE / max(requests, 1)) / math.log(rate))
    return times if times <= _MOST_TIMES else None


def _asked_again(session: Session, exchange: Exchange, times: int | None) -> Exchange | None:
    """The last of so many failures; None where it is served meanwhile, or where chance cannot be told from it."""
    if times is None:
        return None
    while exchange.attempt < times:
        session.pause(exchange, exchange.attempt)
        if session.closed:
            return None
        exchange = session.send_once(exchange.request, exchange.attempt + 1)
        if exchange.status is None or exchange.status < 500 or exchange.status == _CAPACITY:
            return None
    return exchange


def _failed_each_time(exchange: Exchange) -> bool:
    status = exchange.status
    return (
        status is not None
        and status >= 500
        and status != _CAPACITY
        and exchange.attempt >= attempts(exchange.request) > 1
    )


LASTING = Probe(
    name="lasting errors",
    requires=_NAME,
    judges=frozenset({_NAME}),
    run=_run,
    cost=lambda _: Cost(0, 0, 0.0),
    when="last",
)
