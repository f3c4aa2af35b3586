"""Limits: what a 429 says, and what the x-ratelimit headers say."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, broken, finding, held
from testcard.conformance.retryafter import BadRetryAfter, retry_after_s
from testcard.core.exchange import Response
from testcard.core.record import Finding

# Durations as OpenAI writes them, which are Go's: 1h6m0.5s, 12ms, 850µs (UTF-8 read as Latin-1).
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "\xb5s": 1e-6, "\xc2\xb5s": 1e-6, "ns": 1e-9}
_SPAN = re.compile(rf"(\d+(?:\.\d+)?)({'|'.join(sorted(_UNITS_S, key=len, reverse=True))})")
# A moment instead of a span: no contract asks for it, and there is nothing to compare it with.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT.*|[A-Z][a-z]{2}, \d\d .* GMT")


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
    # Date and Retry-After are whole seconds, each rounded as its sender likes: a wait reads a second longer or shorter.
    slack = 1 if wait.by_date else 0
    if wait.seconds < 1 - slack or (window is not None and wait.seconds > math.ceil(window) + slack):
        bound = f" (the window is {window:g} s)" if window is not None else ""
        return broken(name, expected, f"Retry-After: {response.header('retry-after')}, {wait.seconds:g} s{bound}")
    return held(name)


def _headers(response: Response) -> Iterator[Finding]:
    values = {}
    for what in ("limit", "remaining", "reset"):
        raw = response.header(f"x-ratelimit-{what}-requests") or response.header(f"x-ratelimit-{what}")
        if raw is not None and not (what == "reset" and _MOMENT.fullmatch(raw.strip())):
            # Some append their policy, as an early draft of the RateLimit header did: 100, 100;w=60
            values[what] = raw.partition(",")[0].partition(";")[0].strip()
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
        number = float(raw)
    except ValueError:
        pass
    else:
        return number if math.isfinite(number) else None
    if not duration or not raw or _SPAN.sub("", raw):
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in _SPAN.findall(raw))
