"""Bodies that break the request schema, derived from it keyword by keyword, each with what it breaks.

The schema says what is forbidden; the table below says which requirement forbids it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from testcard.conformance.contract import Contract
from testcard.core.exchange import Violation

_REQUIREMENTS = {
    ("prompt", "required"): "generate.prompt-missing",
    ("prompt", "type"): "generate.prompt-type",
    ("model", "type"): "generate.model-type",
    ("n", "type"): "generate.n-type",
    ("n", "minimum"): "generate.n-out-of-range",
    ("n", "maximum"): "generate.n-out-of-range",
    ("size", "type"): "generate.size-type",
    ("size", "pattern"): "generate.size-invalid",
    ("response_format", "type"): "generate.response-format-type",
    ("response_format", "enum"): "generate.response-format-invalid",
}

# One value of each JSON type, and values that a careless reader takes for another type.
_OF_TYPE: dict[str, tuple[Any, ...]] = {
    "string": ("2",),
    "integer": (5,),
    "number": (1.5,),
    "boolean": (True,),
    "array": ([],),
    "object": ({},),
    "null": (None,),
}
# Nothing here names a width and a height, however leniently it is read.
_NO_SIZE = ("big", "1024", "1024x", "x1024", "0x0", "-1x-1", "1024x1024x3")


def violations(contract: Contract) -> Iterator[tuple[Violation, Any]]:
    """Each way to break one field of the request schema, with the value to send (absent for `required`)."""
    schema, declared = contract.request_schema, contract.target.request
    for name in schema["required"]:
        yield _violation(name, "required", "present", "nothing"), ABSENT
    for name, field in schema["properties"].items():
        if not contract.target.takes(name) or ((name, "type") not in _REQUIREMENTS and name not in declared):
            continue
        kinds = field.get("type", list(_OF_TYPE))
        allowed = kinds if isinstance(kinds, list) else [kinds]
        for kind, values in _OF_TYPE.items():
            if kind not in allowed and not (kind == "integer" and "number" in allowed):
                for value in values:
                    yield _violation(name, "type", " or ".join(allowed), json.dumps(value)), value
        yield from _beyond(name, field)


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""Stands for a field that is left out."""


def _beyond(name: str, field: dict[str, Any]) -> Iterator[tuple[Violation, Any]]:
    """Values just beyond each bound of a field."""
    if "minimum" in field:
        for value in (field["minimum"] - 1, field["minimum"] - 2):
            yield _violation(name, "minimum", str(field["minimum"]), str(value)), value
    if "maximum" in field:
        value = field["maximum"] + 1
        yield _violation(name, "maximum", str(field["maximum"]), str(value)), value
    if "pattern" in field:
        for text in _NO_SIZE:
            yield _violation(name, "pattern", "WIDTHxHEIGHT", json.dumps(text)), text
    if "maxLength" in field:
        text = "x" * (field["maxLength"] + 1)
        yield _violation(name, "maxLength", str(field["maxLength"]), f"{len(text)} characters"), text
    if "enum" in field:
        known = [value for value in field["enum"] if isinstance(value, str)]
        for text in _near(known):
            yield _violation(name, "enum", " or ".join(known), json.dumps(text)), text


def _near(known: list[str]) -> list[str]:
    """Words that are none of those known, and might be taken for one."""
    return [text for text in ("png", f"{known[-1]}s", known[0].upper(), "") if text not in known]


def _violation(name: str, keyword: str, limit: str, sent: str) -> Violation:
    return Violation(_REQUIREMENTS.get((name, keyword), "generate.declared-field"), name, keyword, limit, sent)


def combinations(
    contract: Contract, base: dict[str, Any]
) -> st.SearchStrategy[tuple[dict[str, Any], tuple[Violation, ...]]]:
    """Bodies with two or more fields broken at once, each with its violations."""
    by_field: dict[str, list[tuple[Violation, Any]]] = {}
    for violation, value in violations(contract):
        by_field.setdefault(violation.field, []).append((violation, value))

    def assemble(choices: list[tuple[Violation, Any]]) -> tuple[dict[str, Any], tuple[Violation, ...]]:
        body = dict(base)
        for violation, value in choices:
            if value is ABSENT:
                body.pop(violation.field, None)
            else:
                body[violation.field] = value
        return body, tuple(violation for violation, _ in choices)

    fields = st.lists(st.sampled_from(sorted(by_field)), min_size=2, max_size=len(by_field), unique=True)
    return fields.flatmap(
        lambda names: st.tuples(*(st.sampled_from(by_field[name]) for name in names)).map(
            lambda choices: assemble(list(choices))
        )
    )
