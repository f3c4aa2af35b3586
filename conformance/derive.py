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
_ANY_SIZE = "1024x1024"
_SURROGATE = "\ud83d"
"""Half a character: whoever repeats it in a refusal has to encode it."""
_BEYOND_64_BITS = "9" * 20


def violations(contract: Contract) -> Iterator[tuple[Violation, Any]]:
    """Each way to break one field of the request schema, with the value to send (absent for `required`)."""
    schema, declared = contract.request_schema, contract.target.request
    for name in schema["required"]:
        yield _violation(name, "required", "present", "nothing"), ABSENT
    width, height = (contract.smallest or _ANY_SIZE).split("x")
    for name, field in schema["properties"].items():
        if not contract.target.takes(name) or ((name, "type") not in _REQUIREMENTS and name not in declared):
            continue
        kinds = field.get("type", list(_OF_TYPE))
        allowed = kinds if isinstance(kinds, list) else [kinds]
        told = _told(int(width), int(height)).get(name, {})
        for kind, values in _OF_TYPE.items():
            if kind not in allowed and not (kind == "integer" and "number" in allowed):
                for value in told.get(kind, values):
                    yield _violation(name, "type", " or ".join(allowed), json.dumps(value)), value
        yield from _beyond(name, field)
        if "pattern" in field:
            for text in _no_sizes(width, height):
                yield _violation(name, "pattern", "WIDTHxHEIGHT", json.dumps(text)), text


def _told(width: int, height: int) -> dict[str, dict[str, tuple[Any, ...]]]:
    """By field and JSON type, in place of the values above: what tells a good one in another form, and what
    `value or default` passes over.
    """
    return {
        "prompt": {"boolean": (True, False), "array": (["a test card"],), "object": ({"text": "a test card"},)},
        "n": {"string": ("2", ""), "boolean": (True, False), "array": ([2],)},
        "size": {"integer": (width,), "array": ([width, height], []), "object": ({"width": width, "height": height},)},
        "response_format": {"array": (["url"],), "object": ({"type": "url"},)},
    }


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
        for value in (field["maximum"] + 1, 2**63, 2**32 + 1):  # the last is 1 to 32 bits
            yield _violation(name, "maximum", str(field["maximum"]), str(value)), value
    if "maxLength" in field:
        text = "x" * (field["maxLength"] + 1)
        yield _violation(name, "maxLength", str(field["maxLength"]), f"{len(text)} characters"), text
    if "enum" in field:
        known = [value for value in field["enum"] if isinstance(value, str)]
        for text in _near(known):
            yield _violation(name, "enum", " or ".join(known), json.dumps(text)), text


def _no_sizes(width: str, height: str) -> tuple[str, ...]:
    """None of them names a width and a height, though most hold sides of a size that is served: whoever looks for
    these, or drops what does not fit, finds them. No integer of 64 bits holds the sides of the last but one, so that
    nobody tries to draw it: who brings it down to a largest size has another picture, who counts on it a 500.
    """
    halves = f"{width}.5x{height}.5"
    enormous = f"{_BEYOND_64_BITS}x{_BEYOND_64_BITS}"
    partly = (width, f"{width}x", f"x{height}", f"{width}x0", f"-{width}x-{height}", f"{width}x{height}x3", halves)
    return "big", *partly, "0x0", "", enormous, f"{width}x{_SURROGATE}"


def _near(known: list[str]) -> list[str]:
    """Words that are none of those known, and might be taken for one."""
    near = (f"{known[-1]}s", known[0].upper(), f" {known[0]}", f"{known[0]}{_SURROGATE}")
    return [text for text in ("png", "base64", *near, "") if text not in known]


def _violation(name: str, keyword: str, limit: str, sent: str) -> Violation:
    return Violation(_REQUIREMENTS.get((name, keyword), "generate.declared-field"), name, keyword, limit, sent)


def combinations(
    contract: Contract, base: dict[str, Any]
) -> st.SearchStrategy[tuple[dict[str, Any], tuple[Violation, ...]]]:
    """Bodies with one or more fields broken, each with its violations: by the values above and by invented ones."""
    tables: dict[str, list[tuple[Violation, Any]]] = {}
    for violation, value in violations(contract):
        tables.setdefault(violation.field, []).append((violation, value))
    by_field = {
        name: st.one_of(st.sampled_from(table), *_invented(name, contract.request_schema["properties"][name]))
        for name, table in tables.items()
    }

    def assemble(choices: list[tuple[Violation, Any]]) -> tuple[dict[str, Any], tuple[Violation, ...]]:
        body = dict(base)
        for violation, value in choices:
            if value is ABSENT:
                body.pop(violation.field, None)
            else:
                body[violation.field] = value
        return body, tuple(violation for violation, _ in choices)

    fields = st.lists(st.sampled_from(sorted(by_field)), min_size=1, max_size=len(by_field), unique=True)
    return fields.flatmap(
        lambda names: st.tuples(*(by_field[name] for name in names)).map(lambda choices: assemble(list(choices)))
    )


_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=40),
    "integer": st.integers(-(2**70), 2**70),
    "number": st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: value != int(value)),
    "boolean": st.booleans(),
    "array": st.lists(st.none() | st.booleans() | st.text(max_size=8), max_size=3),
    "object": st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=3),
    "null": st.none(),
}
_NO_DIGITS = st.text(st.characters(exclude_categories=["N", "Cs"]), max_size=40)


def _invented(name: str, field: dict[str, Any]) -> Iterator[st.SearchStrategy[tuple[Violation, Any]]]:
    """Values that nobody thought of, one strategy for each keyword of the field."""

    def breaking(keyword: str, limit: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Violation, Any]]:
        return values.map(lambda value: (_violation(name, keyword, limit, json.dumps(value)[:80]), value))

    kinds = field.get("type", list(_SCALARS))
    allowed = kinds if isinstance(kinds, list) else [kinds]
    for kind, values in _SCALARS.items():
        if kind not in allowed and not (kind == "integer" and "number" in allowed):
            yield breaking("type", " or ".join(allowed), values)
    if "minimum" in field:
        yield breaking("minimum", str(field["minimum"]), st.integers(-(2**70), field["minimum"] - 1))
    if "maximum" in field:
        yield breaking("maximum", str(field["maximum"]), st.integers(field["maximum"] + 1, 2**70))
    if "pattern" in field:
        words = _NO_DIGITS.filter(lambda text: text.strip().lower() != "auto")
        yield breaking("pattern", "WIDTHxHEIGHT", words)
    if "enum" in field:
        known = [value for value in field["enum"] if isinstance(value, str)]
        others = _NO_DIGITS.filter(lambda text: text.strip().lower() not in known)
        yield breaking("enum", " or ".join(known), others)
