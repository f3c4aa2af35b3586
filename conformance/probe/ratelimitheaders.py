"""Whether the x-ratelimit-*-requests headers tell what happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from testcard.conformance.probe.burst import Burst
from testcard.conformance.probe.patience import promise_s
from testcard.conformance.ratelimit import Said, said
from testcard.conformance.session import Session
from testcard.core.exchange import Exchange
from testcard.core.record import Finding
from testcard.core.target import Limit

HEADERS = "limit.headers-true"
_MINUTE_S = 60.0
_SLACK_S = 2.0
_AGREEING = 3
"""Refusals that came side by side have to say the same, so many of them."""


@dataclass(frozen=True, slots=True)
class Told:
    """One answer on the limited key."""

    number: int
    status: int | None
    said: Said
    wait_s: float | None
    """What Retry-After asks for."""


def headers(session: Session, burst: Burst, refused: Exchange) -> None:
    """Compare what the answers of a burst say with how it ended. Silent where they say nothing of this limit."""
    told = [_told(exchange) for exchange in burst.answers if exchange.status != 429 or exchange is refused]
    for finding in headers_true(burst.limit, session.contract.dialect.name, told, in_turn=burst.in_turn):
        session.find(finding)


def _told(exchange: Exchange) -> Told:
    return Told(exchange.number, exchange.status, said(exchange.response), promise_s(exchange))


def headers_true(limit: Limit, dialect: str, answers: Sequence[Told], *, in_turn: bool = False) -> Iterator[Finding]:
    """One finding, where the answers say anything of this limit.

    Args:
        limit: of the limited key, as declared.
        in_turn: each request was sent when the one before it had been answered.
    """
    told = [one for one in answers if not one.said.nothing]
    if not told or (dialect == "openai" and any(one.said.limit not in _ceilings(limit) for one in told)):
        return  # there the headers may speak of another limit, the day's say; AIgateway documents "your current RPM"
    for expected, actual, one in _contradictions(limit, told, in_turn=in_turn):
        yield Finding(HEADERS, held=False, expected=expected, actual=actual, evidence=(one.number,))
        return
    if any(one.status == 429 for one in answers):
        yield Finding(HEADERS, held=True, evidence=(told[0].number,))


def _ceilings(limit: Limit) -> tuple[float | None, ...]:
    """The limit as declared, by the minute, or unsaid."""
    return (None, limit.requests, round(limit.requests * _MINUTE_S / limit.window_s))


def _contradictions(limit: Limit, told: Sequence[Told], *, in_turn: bool) -> Iterator[tuple[str, str, Told]]:
    """Expected, actual, and where; the gravest first."""
    for one in told:
        if one.said.limit not in _ceilings(limit):
            yield f"limit: {limit.requests}, as declared for this key", f"limit: {one.said.limit:g}", one
        if one.said.reset_s is not None and one.said.reset_s > 2 * limit.window_s + _SLACK_S:
            yield f"reset within the window of {limit.window_s:g} s", f"reset: {one.said.reset_s:g} s", one
    refused = [one for one in told if one.status == 429]
    for one in refused:
        reset_s = one.said.reset_s
        if one.wait_s is not None and reset_s is not None and 2 * reset_s + _SLACK_S < one.wait_s:
            yield f"reset not before Retry-After: {one.wait_s:g}", f"reset: {reset_s:g} s", one
    # A refusal for a shorter span than the window says nothing about what is left of the window.
    long = [one for one in refused if one.wait_s and limit.window_s / 2 < one.wait_s <= limit.window_s + 1]
    left = [one for one in long if one.said.remaining is not None and one.said.remaining >= 1]
    if left and (in_turn or len(left) == len(long) >= _AGREEING):
        yield "remaining: 0 on a 429", f"remaining: {left[0].said.remaining:g}", left[0]
    for one in [one for one in told if one.status != 429][-1:] if in_turn and long else ():
        # Some count the request itself, some don't: 1 is as good as 0.
        if one.said.remaining is not None and one.said.remaining >= 2:
            yield "remaining: 0 before a 429", f"remaining: {one.said.remaining:g}, and the next is refused", one
