"""Whether the x-ratelimit-*-requests headers tell what happens."""

from __future__ import annotations

from collections.abc import Iterator

from testcard.conformance.probe.burst import Burst
from testcard.conformance.probe.patience import promise_s
from testcard.conformance.ratelimit import Said, said
from testcard.conformance.session import Session
from testcard.core.exchange import Exchange
from testcard.core.record import Finding

HEADERS = "limit.headers-true"
_MINUTE_S = 60.0
_SLACK_S = 2.0


def headers(session: Session, burst: Burst, refused: Exchange) -> None:
    """Compare what the answers of a burst say with how it ended. Silent where they say nothing of this limit."""
    told = [(exchange, said(exchange.response)) for exchange in burst.answers]
    told = [(exchange, what) for exchange, what in told if not what.nothing]
    if not told or (session.contract.dialect.name == "openai" and not _of_this_limit(burst, told)):
        return
    for expected, actual, exchange in _contradictions(burst, told, refused):
        session.find(Finding(HEADERS, held=False, expected=expected, actual=actual, evidence=(exchange.number,)))
        return
    session.find(Finding(HEADERS, held=True, evidence=(told[0][0].number,)))


def _of_this_limit(burst: Burst, told: list[tuple[Exchange, Said]]) -> bool:
    """Elsewhere the headers may speak of another limit, the day's say; AIgateway documents "your current RPM"."""
    return all(what.limit in _ceilings(burst) for _, what in told)


def _ceilings(burst: Burst) -> tuple[float | None, ...]:
    """The limit as declared, by the minute, or unsaid."""
    limit = burst.limit
    return (None, limit.requests, round(limit.requests * _MINUTE_S / limit.window_s))


def _contradictions(
    burst: Burst, told: list[tuple[Exchange, Said]], refused: Exchange
) -> Iterator[tuple[str, str, Exchange]]:
    """Expected, actual, and where; the gravest first."""
    window_s, wait_s = burst.limit.window_s, promise_s(refused)
    for exchange, what in told:
        if what.limit not in _ceilings(burst):
            yield f"limit: {burst.limit.requests}, as declared for this key", f"limit: {what.limit:g}", exchange
        if what.reset_s is not None and what.reset_s > 2 * window_s + _SLACK_S:
            yield f"reset within the window of {window_s:g} s", f"reset: {what.reset_s:g} s", exchange
    at_end = said(refused.response)
    if wait_s is not None and at_end.reset_s is not None and 2 * at_end.reset_s + _SLACK_S < wait_s:
        yield f"reset not before Retry-After: {wait_s:g}", f"reset: {at_end.reset_s:g} s", refused
    # A refusal for a shorter span than the window says nothing about what is left of the window.
    if burst.in_turn and wait_s is not None and window_s / 2 < wait_s <= window_s + 1:
        if at_end.remaining is not None and at_end.remaining >= 1:
            yield "remaining: 0 on a 429", f"remaining: {at_end.remaining:g}", refused
        before = [(exchange, what) for exchange, what in told if exchange.status != 429][-1:]
        for exchange, what in before:
            # Some count the request itself, some don't: 1 is as good as 0.
            if what.remaining is not None and what.remaining >= 2:
                yield "remaining: 0 before a 429", f"remaining: {what.remaining:g}, and the next is refused", exchange
