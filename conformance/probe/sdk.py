"""Replaying, when everything is answered, what the target said to the official SDKs. It sends the target nothing."""

from __future__ import annotations

from testcard.conformance.judge.evidence import Evidence
from testcard.conformance.probe.probe import Cost, Probe
from testcard.conformance.sdk import ABSENT, SdkSilent, compare, installed, replaying
from testcard.conformance.session import Session
from testcard.core import outcome
from testcard.core.runfile import Skip

_JUDGED = frozenset({"sdk.pictures", "sdk.errors", "sdk.retries"})


def _run(session: Session) -> None:
    exchanges = session.samples.exchanges()
    sdks = installed() if exchanges else ()
    if exchanges and not sdks:
        _not_judged(session, ABSENT)
    answers = [exchange.response for exchange in exchanges if exchange.response is not None]
    for sdk in sdks:
        with replaying(answers) as server:
            try:
                told = sdk.call([server.call(index) for index in range(len(answers))])
            except SdkSilent as silent:
                _not_judged(session, f"{sdk}: {silent}")
                continue
            asked = dict(server.asked)
        for index, (exchange, answer) in enumerate(zip(exchanges, told, strict=True)):
            evidence = Evidence(exchange, session.contract, full=False)
            for finding in compare(sdk, evidence, answer, asked.get(index, 0)):
                session.find(finding)


def _not_judged(session: Session, reason: str) -> None:
    for requirement in sorted(_JUDGED):
        session.find(Skip(requirement, outcome.NOT_JUDGED, reason))


SDK = Probe(
    name="sdk",
    requires="sdk.pictures",
    judges=_JUDGED,
    run=_run,
    cost=lambda _: Cost(0, 0, 0.0),
    when="last",
)
