"""Judging: what an answer says about the requirements. Pure functions of one exchange and the contract.

Rule 1: a judge sends nothing, keeps nothing and knows no test.
Rule 2: a judge speaks only of what the answer shows. Where an earlier requirement already failed (no JSON,
no picture), later ones stay silent instead of repeating it in other words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from testcard.conformance.contract import Contract
from testcard.conformance.judge import (
    auth,
    echo,
    error,
    generate,
    identity,
    image,
    limit,
    media,
    models,
    response,
    transport,
)
from testcard.conformance.judge.evidence import Evidence
from testcard.core.exchange import Exchange
from testcard.core.judgement import Judgement
from testcard.core.record import Finding

__all__ = ["judge"]

_JUDGES: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    transport.judge,
    auth.judge,
    generate.judge,
    response.judge,
    echo.judge,
    image.judge,
    media.judge,
    error.judge,
    limit.judge,
    identity.judge,
    models.judge,
)


def judge(exchange: Exchange, contract: Contract, *, full: bool = True) -> Judgement:
    """Everything that one exchange says about the requirements.

    Args:
        full: decode pictures to the last pixel; otherwise their headers, structure and checksums.
    """
    evidence = Evidence(exchange, contract, full=full)
    judges = exchange.request.judges
    found = (finding for part in _JUDGES for finding in part(evidence))
    findings = tuple(finding for finding in found if not judges or finding.requirement in judges)
    seen = [item.inspection for item in evidence.pictures]
    return Judgement(findings, tuple(one.picture for one in seen), tuple(one.pixels for one in seen))
