"""The success envelope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from testcard.conformance.contract import Contract
from testcard.conformance.judge.evidence import Evidence, answer, broken, finding
from testcard.conformance.leak import inside_address, path_or_key
from testcard.core.record import Finding

_CLOCK_SLACK_S = 300
_LATEST = 10**15
_MOST_SHOWN = 80
_STRINGS = ("url", "b64_json", "revised_prompt")
_OPTIONAL = ("background", "output_format", "quality", "size", "usage")
"""Of ImagesResponse: none of them is nullable."""
_FOR_USERS = frozenset({"url", "b64_json", "prompt", "revised_prompt"})
"""Members whose text is the user's own, or is judged elsewhere."""
_ON_DISK = frozenset({"file_path", "filepath", "local_path", "server_path", "disk_path", "save_path", "saved_path"})
_DEEPEST = 8


def judge(evidence: Evidence) -> Iterator[Finding]:
    response = evidence.response
    if not evidence.generated or response is None:
        return
    if not response.body:  # which transport.json-body has nothing to say of
        yield broken("response.data", "{created, data: [{…}, …]}", "200 with an empty body")
        return
    if response.json is None and response.json_error:
        return
    body = response.json
    error = body.get("error") if isinstance(body, dict) else None
    yield finding("response.no-error", error is None, "no error in a 200", f"error: {str(error)[:160]}")
    if error is not None and evidence.data is None:
        return
    yield finding("response.data", evidence.data is not None, "{created, data: [{…}, …]}", _shape(body, evidence))
    if isinstance(body, dict):
        yield _created(body, evidence)
    if evidence.data is not None:
        yield from _members(body, evidence.data)
        heads = [response.headers]
        heads += [fetch.response.headers for fetch in evidence.exchange.media if fetch.response is not None]
        leak = next(leaks(body, heads, evidence.contract), None)
        yield finding("response.no-internals", leak is None, "nothing of the server's inside", str(leak))
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


def _members(body: dict[str, Any], items: list[dict[str, Any]]) -> Iterator[Finding]:
    """The types of the members that OpenAI's contract names; of null, that it should not be there."""
    named = [
        (f"data[{index}].{name}", item[name]) for index, item in enumerate(items) for name in _STRINGS if name in item
    ]
    wrong = [f"{where}: {type(value).__name__}" for where, value in named if not isinstance(value, str | None)]
    yield finding("response.item-types", not wrong, "strings", ", ".join(wrong[:3]))
    null = [where for where, value in named if value is None and where.endswith("revised_prompt")]
    null += [name for name in _OPTIONAL if name in body and body[name] is None]
    yield finding(
        "response.no-null", not null, "absent where there is nothing to say", f"null in {', '.join(null[:5])}"
    )


def leaks(body: dict[str, Any], heads: Sequence[tuple[tuple[str, str], ...]], contract: Contract) -> Iterator[str]:
    """What of the server's inside stands in an answer: paths, keys, and addresses that no client can reach.

    Args:
        heads: the headers of the answer, and of the pictures that it names.
    """
    for name, text in (*_texts(body), *(line for head in heads for line in head)):
        leak = leak_in(name, text, contract)
        if leak is not None:
            yield f"{name} holds {leak}"


def leak_in(name: str, text: str, contract: Contract) -> str | None:
    """What of the server's inside stands in a member or a header of an answer, described, or None."""
    leak = path_or_key(text)
    if leak is None and name in _ON_DISK and text.startswith("/"):
        leak = f"the path {text[:_MOST_SHOWN]}"
    if leak is None and not contract.inside:
        leak = inside_address(text, contract.known_hosts)
    return leak


def _texts(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every string of a JSON value with the name of the member that holds it, but for those that are the user's."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict) and depth < _DEEPEST:
        for key, member in value.items():
            if key not in _FOR_USERS:
                yield from _texts(member, key, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for member in value:
            yield from _texts(member, name, depth + 1)


def _shape(body: Any, evidence: Evidence) -> str:
    if isinstance(body, dict):
        data = body.get("data", "absent")
        what = f"data: {type(data).__name__}" + (" (empty)" if data in ([], {}) else "")
        return f"an object with {', '.join(sorted(body)[:8]) or 'nothing'}; {what}"
    return f"{type(body).__name__}; {answer(evidence)}"
