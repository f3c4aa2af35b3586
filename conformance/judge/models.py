"""The list of models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from testcard.conformance.judge.evidence import Evidence, answer, broken, finding
from testcard.conformance.judge.response import leaks
from testcard.core.exchange import MODELS
from testcard.core.record import Finding

UNKNOWN = "models.unknown"
_LATEST_S = 10**11
"""Seconds until the year 5138; what is more, are milliseconds."""
_MOST_SHOWN = 80


def judge(evidence: Evidence) -> Iterator[Finding]:
    request, response = evidence.request, evidence.response
    if UNKNOWN in request.judges:
        yield from _unknown(evidence)
        return
    asked = request.path == MODELS and request.method == "GET" and request.credentialed
    if not asked or response is None or not evidence.final or response.status == 429:
        return
    body = response.json
    data = body.get("data") if isinstance(body, dict) else None
    rows = data if isinstance(data, list) else []
    good = (
        response.status == 200
        and bool(rows)
        and all(isinstance(row, dict) and isinstance(row.get("id"), str) and row["id"] for row in rows)
    )
    yield finding("models.list", good, "200 with {object: list, data: [{id}, …]}", answer(evidence))
    if isinstance(body, dict) and good:
        problem = next(_problems(body, rows, complete=evidence.contract.dialect.name == "openai"), None)
        expected = "object, created and owned_by of the documented types"
        yield finding("models.members", problem is None, expected, str(problem))
        leak = next(leaks(body, (response.headers,), evidence.contract), None)
        if leak is not None:
            yield broken("response.no-internals", "nothing of the server's inside", leak)
    model = evidence.contract.target.model
    if good and model is not None:
        listed = any(row["id"] == model for row in rows)
        if not listed and isinstance(body, dict) and body.get("has_more") is True:
            return  # OpenAI's name, in its other lists, for more pages
        yield finding("models.target-listed", listed, f"{model} among the ids", f"{len(rows)} others")


def _unknown(evidence: Evidence) -> Iterator[Finding]:
    status = evidence.status
    if status is not None and evidence.final and status not in (429, 503):
        yield finding(UNKNOWN, 300 <= status < 500 or status == 501, "404", answer(evidence))


def _problems(body: dict[str, Any], rows: list[dict[str, Any]], *, complete: bool) -> Iterator[str]:
    """What is not as it should be.

    Args:
        complete: whether every member has to be there; only OpenAI's own document says so.
    """
    for where, members, wanted in (("", body, _LIST), *((f"data[{i}].", row, _MODEL) for i, row in enumerate(rows))):
        for name, right in wanted.items():
            if name not in members:
                if complete:
                    yield f"no {where}{name}"
            elif not right(members[name]):
                yield f"{where}{name}: {members[name]!r}"[:_MOST_SHOWN]


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LATEST_S


_LIST: Mapping[str, Callable[[Any], bool]] = {"object": lambda value: value == "list"}
_MODEL: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: value == "model", "created": _is_time, "owned_by": lambda value: isinstance(value, str),
}  # fmt: skip
