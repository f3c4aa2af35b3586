"""Request ids."""

from __future__ import annotations

from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, answer, broken, finding, held
from testcard.core.exchange import Response
from testcard.core.record import Finding

SAFE = "identity.request-id-safe"
INJECTED = "x-testcard-injected"
"""The header that a request id tries to smuggle into the answer."""


def judge(evidence: Evidence) -> Iterator[Finding]:
    response = evidence.response
    if response is None:
        return
    if SAFE in evidence.request.judges:
        yield from _safe(evidence, response)
        return
    given = response.header("x-request-id")
    yield finding("identity.request-id", bool(given), "x-request-id", "no x-request-id")
    asked = all(name.lower() != "x-request-id" or value for name, value in evidence.request.headers)
    if given and asked and evidence.contract.dialect.name != "openai":
        sent = evidence.exchange.request_id
        yield finding(
            "identity.request-id-echoed",
            given == sent,
            f"x-request-id: {sent}",
            f"x-request-id: {given[:80]}",
        )


def _safe(evidence: Evidence, response: Response) -> Iterator[Finding]:
    expected = "an answer below 500, and no header of the client's making"
    if response.header(INJECTED) is not None:
        yield broken(SAFE, expected, f"the answer has a header line {INJECTED}")
    elif evidence.final and response.status >= 500:
        yield broken(SAFE, expected, answer(evidence))
    elif response.status < 500 and response.status != 429:
        yield held(SAFE)
