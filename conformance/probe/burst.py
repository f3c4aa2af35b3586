"""Driving a key over its limit: what was sent, what passed, what was refused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from testcard.conformance import case
from testcard.conformance.judge.evidence import attempts
from testcard.conformance.session import Session
from testcard.core.exchange import Exchange, Request
from testcard.core.target import Limit

BEYOND = 3
"""How many requests more than the limit are sent before it counts as not enforced."""
_AT_ONCE = 16
_UNHURRIED = 0.25
"""The share of the window that a burst may take; on a slower server its requests are sent side by side."""
_NEAR, _PAST = 0.25, 0.02
"""Shares of a window: how near its end is too near for a burst, and how long after it other clocks agree."""


@dataclass(frozen=True, slots=True)
class Burst:
    """The answers to a burst, in the order of sending, up to the refusal that ended it."""

    limit: Limit
    answers: tuple[Exchange, ...]
    ended: float
    """On `time.monotonic()`: when the last answer was there."""
    in_turn: bool
    """Whether each request was sent when the one before it had been answered."""
    by_picture: bool = False
    """Whether bodies that cost nothing were not refused, and pictures had to be asked for."""

    @property
    def refused(self) -> Exchange | None:
        """The last refusal for the limit."""
        return next((exchange for exchange in reversed(self.answers) if exchange.status == 429), None)

    @property
    def passed(self) -> tuple[Exchange, ...]:
        """What was let through, whatever became of it."""
        return tuple(e for e in self.answers if e.response is not None and e.status != 429)

    @property
    def pictures(self) -> int:
        return sum(exchange.succeeded for exchange in self.answers)

    @property
    def most(self) -> float:
        """The most that an honest limiter lets through in the time of the burst: a bucket refills meanwhile."""
        return self.limit.requests + BEYOND + self.limit.rate_per_s * span_s(self.answers)

    @property
    def plausible(self) -> bool:
        """Whether the number that passed fits the limit: all of them counted, or only those that brought pictures."""
        return len(self.passed) <= self.most or self.limit.requests <= self.pictures <= self.most

    @property
    def short(self) -> bool:
        """Whether it was refused before the limit was used up: by a lower limit, or since the key was in use before."""
        return (self.pictures if self.by_picture else len(self.passed)) < self.limit.requests


def drive(session: Session, limit: Limit) -> Burst:
    """Send on the limited key until it refuses: bodies that cost nothing first, pictures only if they don't count."""
    burst = refusables(session, limit)
    if any(exchange.status == 429 or exchange.response is None for exchange in burst.answers) or session.closed:
        return burst
    count = len(burst.answers)
    _behind_a_turn(session, limit)
    requests = [case.billable(session.asker, "limited", number) for number in _numbers(limit, count)]
    # All at once: one after the other a slow server's pictures would never come near its limit.
    answers = [*burst.answers, *_side_by_side(session, requests, _AT_ONCE)]
    return Burst(limit, tuple(answers), time.monotonic(), in_turn=False, by_picture=True)


def refusables(session: Session, limit: Limit, start: int = 0, most: int | None = None) -> Burst:
    """Bodies that cost nothing, until one is refused for the limit; at most `most`, or three more than it allows."""
    answers: list[Exchange] = []
    numbers = list(_numbers(limit, start) if most is None else range(start + 1, start + most + 1))
    side_by_side = 1
    while numbers and not session.closed:
        now, numbers = numbers[:side_by_side], numbers[side_by_side:]
        answers += _side_by_side(session, [case.refusable(session.asker, "limited", n) for n in now], side_by_side)
        if any(exchange.status == 429 or exchange.response is None for exchange in answers[-len(now) :]):
            break
        if _slow(answers[0], limit):
            side_by_side = _AT_ONCE
    return Burst(limit, tuple(answers), time.monotonic(), in_turn=side_by_side == 1)


def _slow(exchange: Exchange, limit: Limit) -> bool:
    return latency_s(exchange) * (limit.requests + BEYOND) > _UNHURRIED * limit.window_s


def _behind_a_turn(session: Session, limit: Limit) -> None:
    """Wait until no window of the clock is about to turn: two of them may be used up at once, and pictures are counted
    only once.
    """
    left_s = limit.window_s - time.time() % limit.window_s
    until = time.monotonic() + (left_s + _PAST * limit.window_s if left_s < _NEAR * limit.window_s else 0.0)
    while not session.closed and time.monotonic() < until:
        time.sleep(0.01)


def span_s(answers: Sequence[Exchange]) -> float:
    """From the first sending to the last answer: what waits in front of a limiter counts when its turn comes."""
    first = min((exchange.sent_s for exchange in answers), default=0.0)
    return max((exchange.last_byte_s or exchange.sent_s for exchange in answers), default=first) - first


def turns(answers: Sequence[Exchange], limit: Limit) -> int:
    """How many windows of the clock ended meanwhile, if windows begin at multiples of their length."""
    begun = min((e.received_at - latency_s(e) for e in answers), default=0.0)
    ended = max((e.received_at for e in answers), default=begun)
    return int(ended // limit.window_s - begun // limit.window_s)


def latency_s(exchange: Exchange) -> float:
    """From sending to the answer's last byte; 0 where there is no answer."""
    return exchange.last_byte_s - exchange.sent_s if exchange.last_byte_s is not None else 0.0


def _side_by_side(session: Session, requests: list[Request], workers: int) -> list[Exchange]:
    if len(requests) == 1:
        return [sent(session, requests[0])]
    with ThreadPoolExecutor(min(len(requests), workers), thread_name_prefix="limited") as pool:
        answers = list(pool.map(lambda request: sent(session, request), requests))
    return sorted(answers, key=lambda exchange: exchange.sent_s)


def _numbers(limit: Limit, start: int) -> range:
    return range(start + 1, start + limit.requests + BEYOND + 1)


def sent(session: Session, request: Request) -> Exchange:
    """The answer; where the connection closed without one, that of another connection."""
    exchange = session.sender.send(request)
    for attempt in range(2, attempts(request) + 1):
        if exchange.failure is None or exchange.failure.kind != "closed" or session.closed:
            break
        exchange = session.sender.send(request, attempt=attempt)
    return exchange
