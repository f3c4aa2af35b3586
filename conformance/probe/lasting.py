"""Good requests that are answered with a 500 each time, while others are served.

One 500 is a bad moment, and three in a row may be an outage: then others fail as well. Where others were served before
and after, it is this body that the server fails at. It sends nothing.
"""

from __future__ import annotations

from testcard.conformance.judge.evidence import attempts
from testcard.conformance.probe.probe import Cost, Probe
from testcard.conformance.session import Session
from testcard.core import outcome
from testcard.core.exchange import Exchange
from testcard.core.record import Finding
from testcard.core.runfile import Skip

_NAME = "generate.no-lasting-error"
_CAPACITY = 503  # an error that may well last


def _run(session: Session) -> None:
    answers = [e for e in session.answers if e.request.requirement is not None and not e.request.may_refuse]
    served = [e.number for e in session.answers if e.succeeded and e.request.to_generate and not e.request.violations]
    lasting = [
        exchange
        for exchange in answers
        if _failed_each_time(exchange) and min(served, default=exchange.number) < exchange.number < max(served)
    ]
    for exchange in lasting:
        session.find(
            Finding(
                _NAME,
                held=False,
                expected="an answer, as other good requests get",
                actual=f"{exchange.status} {exchange.attempt} times ({exchange.request.case})",
                evidence=(exchange.number,),
            )
        )
    if served and not lasting:
        session.find(Finding(_NAME, held=True, evidence=tuple(served)))
    elif not served:
        session.find(Skip(_NAME, outcome.NOT_JUDGED, "no good request was served"))


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
