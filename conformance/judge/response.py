"""The success envelope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from testcard.conformance.judge.evidence import Evidence, answer, broken, finding
from testcard.core.record import Finding

_CLOCK_SLACK_S = 300
_LATEST = 10**15
_MOST_SHOWN = 80


def judge(evidence: Evidence) -> Iterator[Finding]:
    response = evidence.response
    if not evidence.generated or response is None or (response.json is None and response.json_error):
        return
    body = response.json
    error = body.get("error") if isinstance(body, dict) else None
    yield finding("response.no-error", error is None, "no error in a 200", f"error: {str(error)[:160]}")
    if error is not None and evidence.data is None:
        return
    yield finding("response.data", evidence.data is not None, "{created, data: [{…}, …]}", _shape(body, evidence))
    if isinstance(body, dict):
        yield _created(body, evidence)
    other = {"url": "b64_json", "b64_json": "url"}[evidence.form]
    for index, item in enumerate(evidence.data or ()):
        if evidence.form in item:
            yield finding(
                "response.one-representation",
                other not in item,
                f"{evidence.form} only",
                f"data[{index}] has {other}{' (null)' if item.get(other) is None else ''} too",
            )


def _created(body: dict[str, Any], evidence: Evidence) -> Finding:
    name, expected = "response.created", "an integer of Unix seconds, now"
    if "created" not in body:
        return broken(name, expected, "no created")
    created = body["created"]
    if isinstance(created, bool) or not isinstance(created, (int, float)):
        return broken(name, expected, f"created: {created!r}"[:_MOST_SHOWN])
    # JSON's numbers have no bound, a float's have: 1e400 reads as infinity, and 10**400 fits into none.
    if abs(created) > _LATEST or created != int(created):
        return broken(name, expected, f"created: {created!r}"[:_MOST_SHOWN])
    distance = created - evidence.exchange.received_at
    return finding(
        name,
        abs(distance) <= _CLOCK_SLACK_S,
        expected,
        f"created: {created}, {abs(distance):.0f} s {'after' if distance > 0 else 'before'} the answer",
    )


def _shape(body: Any, evidence: Evidence) -> str:
    if isinstance(body, dict):
        data = body.get("data", "absent")
        what = f"data: {type(data).__name__}" + (" (empty)" if data in ([], {}) else "")
        return f"an object with {', '.join(sorted(body)[:8]) or 'nothing'}; {what}"
    return f"{type(body).__name__}; {answer(evidence)}"
