"""Whether the 429 comes with the request after the limit, and not one or two later.

Sent one after the other, requests can be counted. A clock's window may turn in the middle of them, and then as many
pass once more; so a count that is too high is taken again, where no window turns: Retry-After has told when one begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from testcard.conformance.probe.burst import Burst
from testcard.conformance.probe.patience import Kept
from testcard.conformance.session import Session
from testcard.core.exchange import Exchange
from testcard.core.record import Finding
from testcard.core.target import Limit

EXACT = "limit.exact"
_ROUNDED_S, _AFTER_S = 1.0, 1.0
"""Retry-After is rounded up by less than the one, and the request after it is sent so much later."""
_TESTED_S = 5.0
"""From here on a request at half of the wait has been refused, so that no window had turned by then."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many requests were let through one after the other before one was refused."""

    passed: tuple[Exchange, ...]
    refused: Exchange

    @property
    def span_s(self) -> float:
        """From the first of them to the answer to the last; more than the limiter saw."""
        first, last = self.passed[0], self.passed[-1]
        return (last.last_byte_s or last.sent_s) - first.sent_s

    def above(self, limit: Limit) -> bool:
        """Whether they are more than the limit and what a bucket gets back meanwhile."""
        return len(self.passed) > limit.requests + limit.rate_per_s * self.span_s


def count(burst: Burst) -> Count | None:
    """The count that a burst gives; None where it gives none: sent side by side, or by what only pictures can show."""
    if burst.by_picture and burst.pictures:
        return None
    # Where one picture more was refused at once, the bodies that cost nothing had been counted.
    counted = [e for e in burst.answers if e.request.violations] if burst.by_picture else burst.answers
    return _count(burst.limit, counted, burst.refused)


def _count(limit: Limit, answers: Sequence[Exchange], refused: Exchange | None) -> Count | None:
    passed = tuple(e for e in answers if e.status is not None and e.status < 500 and e.status != 429)
    one_by_one = all(
        before.last_byte_s is not None and before.last_byte_s <= e.sent_s for before, e in pairwise(passed)
    )
    if refused is None or not passed or not one_by_one or (limit.burst or 1) > 1:
        return None
    return Count(passed, refused)


def exact(session: Session, limit: Limit, found: Count) -> None:
    """Say how a count ended that can be relied on."""
    session.find(
        Finding(
            EXACT,
            held=not found.above(limit),
            expected=f"429 for request {limit.requests + 1}: the limit is {limit.requests} in {limit.window_s:g} s",
            actual=f"{len(found.passed)} in {found.span_s:.1f} s were let through",
            evidence=(found.passed[-1].number, found.refused.number),
        )
    )


def exact_again(session: Session, burst: Burst, kept: Kept, second: Burst) -> None:
    """The same on a second burst, where no window of the clock can have turned while it lasted."""
    found = _count(burst.limit, (*kept.since, *second.answers), second.refused)
    if found is None or kept.wait_s is None or kept.late:
        return
    unturned_s = kept.wait_s / 2 if kept.wait_s >= _TESTED_S else 0.0
    since_s = burst.refused.sent_s if burst.refused is not None else 0.0
    # As it was, not as it was planned: answers in between, or to pictures under way, may have been slow.
    into_window_s = max(kept.wait_s + _AFTER_S, found.passed[0].sent_s - since_s) - unturned_s + _ROUNDED_S
    if into_window_s + found.span_s < burst.limit.window_s:
        exact(session, burst.limit, found)
