"""Reads JSON twice: leniently, to go on working, and strictly, to say what a lenient reader forgave.

RFC 8259: UTF-8 without a byte order mark (8.1), no NaN or Infinity (6), one value and nothing after it (2).
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

_BOM = b"\xef\xbb\xbf"
_DEEPEST = 500
_CONSTANT = re.compile(rb"NaN|Infinity")
_PLAIN = json.JSONDecoder()
_LONG = 16 * 1024  # from here on speed counts: pictures as base64


def parse(data: bytes) -> tuple[Any, str | None]:
    """The value (None where there is none) and what is wrong with the text (None where nothing is)."""
    if not data or data.isspace():
        return None, "the body is empty"
    if len(data) >= _LONG:
        # orjson takes nothing that the other reader objects to (no byte order mark, NaN or lone surrogate, only one
        # value); what it refuses is read again, to say why. Of keys that come twice it keeps the last, as json does.
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            return _read(data)
        return value, _wrapped(value)
    return _read(data)


def _read(data: bytes) -> tuple[Any, str | None]:
    problem = None
    if data.startswith(_BOM):
        data = data[len(_BOM) :]
        problem = "it starts with a byte order mark (RFC 8259, section 8.1)"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return None, f"it is not UTF-8: {error.reason} at byte {error.start} (RFC 8259, section 8.1)"
    constants: list[str] = []
    decoder = json.JSONDecoder(parse_constant=constants.append) if _CONSTANT.search(data) else _PLAIN
    stripped = text.lstrip(" \t\r\n")
    try:
        value, end = decoder.raw_decode(stripped)
    except json.JSONDecodeError as error:
        return None, f"it is not JSON: {error.msg} at character {error.pos}"
    except ValueError:  # Python converts no integer of more than 4,300 digits
        return None, "it holds a longer integer than can be read"
    except RecursionError:
        return None, f"it is nested deeper than {_DEEPEST} levels"
    if stripped[end:].strip(" \t\r\n"):
        problem = f"{len(stripped) - end} characters follow the end of the JSON text (RFC 8259, section 2)"
    elif wrapped := _wrapped(value):
        problem = wrapped
    elif constants:
        problem = f"it holds {constants[0]}, which JSON has no form for (RFC 8259, section 6)"
    return value, problem


def _wrapped(value: Any) -> str | None:
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        return "it is a JSON string that holds JSON"
    return None


def repeated_name(data: bytes) -> str | None:
    """A member name that occurs twice in one object, where there is one; None also for what is no JSON.

    RFC 8259, section 4: names should be unique, since readers differ in which of the values they take.
    """
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            names = [name for name, _ in pairs]
            found.append(next(name for name in names if names.count(name) > 1))
        return members

    try:
        json.loads(data, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return None
    return found[0] if found else None
