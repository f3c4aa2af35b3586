"""Request ids."""

from __future__ import annotations

from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, finding
from testcard.core.record import Finding


def judge(evidence: Evidence) -> Iterator[Finding]:
    response = evidence.response
    if response is None:
        return
    given = response.header("x-request-id")
    yield finding("identity.request-id", bool(given), "x-request-id", "no x-request-id")
    if given and evidence.contract.dialect.name != "openai":
        sent = evidence.exchange.request_id
        yield finding(
            "identity.request-id-echoed",
            given == sent,
            f"x-request-id: {sent}",
            f"x-request-id: {given[:80]}",
        )
