"""Which outcome an arrival had, one of LOAD_OUTCOMES in core/outcome.py."""

from __future__ import annotations

from testcard import schemas
from testcard.core.exchange import CANCELLED, Exchange
from testcard.core.judgement import Judgement


def classify(exchange: Exchange, judgement: Judgement) -> str:
    """The outcome of an arrival that was sent.

    An answer that never became complete is a failure whatever its status said. A 3xx counts as refused: no client
    of this API follows one, and nobody gets a picture.
    """
    if exchange.failure is not None:
        return exchange.failure.kind if exchange.failure.kind in ("timeout", CANCELLED) else "broken"
    status = exchange.status
    if status is None:
        return "broken"
    if 200 <= status < 300:
        # A picture that was not asked for (an undeclared private host) is one that nobody saw: never valid.
        unseen = any(fetch.failure is not None and fetch.failure.kind == "not-fetched" for fetch in exchange.media)
        return "invalid" if unseen or any(is_must(finding.requirement) for finding in judgement.broken) else "valid"
    if status == 429:
        return "limited"
    return "server-error" if status >= 500 else "refused"


def is_must(requirement: str) -> bool:
    """Whether the catalogue calls it a MUST; one that is not in the catalogue counts as one."""
    row = schemas.requirements().get(requirement)
    return row is None or row.level == "MUST"
