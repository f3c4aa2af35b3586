"""Limits: what a 429 says, and what the x-ratelimit headers say."""

from __future__ import annotations

import math
from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, broken, finding, held
from testcard.conformance.ratelimit import lines, number
from testcard.conformance.retryafter import BadRetryAfter, retry_after_s
from testcard.core.exchange import Response
from testcard.core.record import Finding


def judge(evidence: Evidence) -> Iterator[Finding]:
    response = evidence.response
    if response is None:
        return
    if response.status == 429:
        yield _retry_after(evidence, response)
    yield from _headers(response)


def _retry_after(evidence: Evidence, response: Response) -> Finding:
    window = evidence.contract.window_s(evidence.request.key)
    longest = evidence.contract.longest_wait_s(evidence.request.key)
    name, expected = "limit.retry-after", "Retry-After: whole seconds or an HTTP date, from 1 s to the window"
    if response.header("retry-after") is None:
        return broken(name, expected, "429 without Retry-After")
    try:
        wait = retry_after_s(response)
    except BadRetryAfter as error:
        return broken(name, expected, str(error))
    # Date and Retry-After are whole seconds, each rounded as its sender likes: a wait reads a second longer or shorter.
    slack = 1 if wait.by_date else 0
    if wait.seconds < 1 - slack or (longest is not None and wait.seconds > longest + slack):
        bound = f" (the window is {window:g} s)" if window is not None else ""
        return broken(name, expected, f"Retry-After: {response.header('retry-after')}, {wait.seconds:g} s{bound}")
    return held(name)


def _headers(response: Response) -> Iterator[Finding]:
    if not lines(response):
        return
    problem = contradiction(response)
    yield finding("limit.headers", problem is None, "0 <= remaining <= limit, reset >= 0", str(problem))


def contradiction(response: Response) -> str | None:
    """What is wrong with the x-ratelimit headers of an answer, each by itself and together."""
    return _inconsistency(lines(response))


def _inconsistency(values: dict[str, str]) -> str | None:
    numbers: dict[str, float] = {}
    for what, raw in values.items():
        value = number(raw, duration=what == "reset")
        if value is None:
            return f"x-ratelimit-{what}: {raw} is no number"
        numbers[what] = value
    for what, value in numbers.items():
        if value < 0:
            return f"x-ratelimit-{what}: {value:g} is negative"
    if numbers.get("remaining", 0) > numbers.get("limit", math.inf):
        return f"remaining {numbers['remaining']:g} of a limit of {numbers['limit']:g}"
    return None
