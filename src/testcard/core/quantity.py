"""Quantities as people write them: `30s`, `1.5m`, `200ms`; sizes as `WIDTHxHEIGHT`."""

from __future__ import annotations

import re

from testcard.core.errors import UsageError

_UNIT_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|)")
_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")


def duration_s(text: str) -> float:
    """Seconds from `30s`, `200ms`, `2m`, `1h`, `30d` or a plain number of seconds.

    Raises:
        UsageError: the text is none of these.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a duration: write 30s, 200ms, 2m, 1h or 30d")
    return float(match[1]) * _UNIT_S[match[2]]


def size_px(text: str) -> tuple[int, int] | None:
    """(width, height) in pixels from `1024x768`, or None where the text has another form."""
    match = _SIZE.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def human_s(seconds: float) -> str:
    """A span of time as a person reads it: `182 ms`, `1.4 s`, `6 min`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min"
