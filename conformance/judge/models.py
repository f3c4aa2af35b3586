"""The list of models."""

from __future__ import annotations

from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, answer, finding
from testcard.core.exchange import MODELS
from testcard.core.record import Finding


def judge(evidence: Evidence) -> Iterator[Finding]:
    request, response = evidence.request, evidence.response
    asked = request.path == MODELS and request.method == "GET" and request.credentialed
    if not asked or response is None or not evidence.final or response.status == 429:
        return
    body = response.json
    data = body.get("data") if isinstance(body, dict) else None
    rows = data if isinstance(data, list) else []
    good = (
        response.status == 200
        and bool(rows)
        and all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows)
    )
    yield finding("models.list", good, "200 with {object: list, data: [{id}, …]}", answer(evidence))
    model = evidence.contract.target.model
    if good and model is not None:
        listed = any(row["id"] == model for row in rows)
        yield finding("models.target-listed", listed, f"{model} among the ids", f"{len(rows)} others")
