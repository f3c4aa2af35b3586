"""Whether a record that came from a file holds what its annotations say.

Files are copied, cut and written by others. What reads many of them asks this first, so that a wrong one is left out
with a sentence, and nothing behind has to doubt a type.
"""

from __future__ import annotations

import dataclasses
import math
import types
from typing import Any, get_args, get_origin, get_type_hints

from testcard.core.record import Jsonable


def misfit(record: Jsonable) -> str | None:
    """The name of the first field whose value is not of its type, `load.latency_s.p50` say; or None."""
    for name, hint in _hints(type(record)):
        found = _misfit(hint, getattr(record, name), name)
        if found is not None:
            return found
    return None


_HINTS: dict[type, tuple[tuple[str, Any], ...]] = {}


def _hints(cls: type[Jsonable]) -> tuple[tuple[str, Any], ...]:
    if cls not in _HINTS:
        hints = get_type_hints(cls)
        _HINTS[cls] = tuple((field.name, hints[field.name]) for field in dataclasses.fields(cls))
    return _HINTS[cls]


def _misfit(hint: Any, value: Any, name: str) -> str | None:
    if hint is Any or (type(value) is hint and (hint is not float or math.isfinite(value))):
        inside = misfit(value) if isinstance(value, Jsonable) else None
        return None if inside is None else f"{name}.{inside}"
    if hint is float:  # JSON has one kind of number
        return None if type(value) is int else name
    origin, inner = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        if value is None:
            return None if type(None) in inner else name
        # What several choices refuse is told of the first, which is the one that a reader expects.
        told = [_misfit(choice, value, name) for choice in inner if choice is not type(None)]
        return None if None in told else told[0]
    if origin is tuple and isinstance(value, tuple):
        kinds = (inner[0],) * len(value) if inner[-1] is Ellipsis else inner
        if len(kinds) != len(value):
            return name
        members = zip(kinds, value, map(str, range(len(value))), strict=True)
    elif origin is dict and isinstance(value, dict):
        if not all(type(key) is str for key in value):
            return name
        members = zip((inner[1],) * len(value), value.values(), value, strict=True)
    else:
        return name
    return next((found for kind, item, key in members if (found := _misfit(kind, item, f"{name}.{key}"))), None)
