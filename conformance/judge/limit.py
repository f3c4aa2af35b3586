"""Limits: what a 429 says, and what the x-ratelimit headers say."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, broken, finding, held
from testcard.conformance.retryafter import BadRetryAfter, retry_after_s
from testcard.core.exchange import Response
from testcard.core.record import Finding

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def judge(evidence: Evidence) -> Iterator[Finding]:
    response = evidence.response
    if response is None:
        return
    if response.status == 429:
        yield _retry_after(evidence, response)
    yield from _headers(response)


def _retry_after(evidence: Evidence, response: Response) -> Finding:
    window = evidence.contract.window_s(evidence.request.key)
    name, expected = "limit.retry-after", "Retry-After: whole seconds or an HTTP date, from 1 s to the window"
    if response.header("retry-after") is None:
        return broken(name, expected, "429 without Retry-After")
    try:
        wait = retry_after_s(response)
    except BadRetryAfter as error:
        return broken(name, expected, str(error))
    # A date is whole seconds on both sides, so a short wait may read as 0.
    least = 0 if wait.by_date else 1
    if wait.seconds < least or (window is not None and wait.seconds > math.ceil(window)):
        bound = f" (the window is {window:g} s)" if window is not None else ""
        return broken(name, expected, f"Retry-After: {response.header('retry-after')}, {wait.seconds:g} s{bound}")
    return held(name)


def _headers(response: Response) -> Iterator[Finding]:
    values = {}
    for what in ("limit", "remaining", "reset"):
        raw = response.header(f"x-ratelimit-{what}-requests") or response.header(f"x-ratelimit-{what}")
        if raw is not None:
            values[what] = raw.strip()
    if not values:
        return
    problem = _inconsistency(values)
    yield finding("limit.headers", problem is None, "0 <= remaining <= limit, reset >= 0", str(problem))


def _inconsistency(values: dict[str, str]) -> str | None:
    numbers: dict[str, float] = {}
    for what, raw in values.items():
        number = _number(raw, duration=what == "reset")
        if number is None:
            return f"x-ratelimit-{what}: {raw} is no number"
        numbers[what] = number
    for what, number in numbers.items():
        if number < 0:
            return f"x-ratelimit-{what}: {number:g} is negative"
    if numbers.get("remaining", 0) > numbers.get("limit", math.inf):
        return f"remaining {numbers['remaining']:g} of a limit of {numbers['limit']:g}"
    return None


def _number(raw: str, *, duration: bool) -> float | None:
    try:
        return float(raw)
    except ValueError:
        pass
    match = _DURATION.fullmatch(raw) if duration else None
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds, milliseconds = (float(group or 0) for group in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
