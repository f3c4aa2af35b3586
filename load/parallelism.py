"""How many requests a server works on at once, from outside: how long an answer takes, by how many were under way.

A server that works on c at a time, in the order of asking, answers request i one service time after whichever is
later: the moment it came, or the moment the c-th answer before it left. So for the right c the time from that moment
to the answer is the same for those who had to wait and for those who did not. For a smaller c those who waited would
seem to be served too fast, for a larger one too slowly. (With one core shared by all the order differs, the figures
do not: k in flight take k times as long.)

Rule 1: nothing is said unless many waited, in many separate crowds, and those who came into a crowd took clearly
longer: a server that is slow for a while has many in flight because it is slow, not the other way round.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from testcard.core.behaviour import Ladder, Parallelism
from testcard.core.quantity import human_s

_FEWEST = 30
_FEWEST_CROWDS = 5
_STEP = 10  # answers that make a rung of the ladder
_LIKE = 0.25
"""How unlike those who waited and the others may be served: as means, and as distributions beyond chance."""
_CHANCE = 1.22
"""Of two samples' distributions: at the 10 % level, times the root of 1/n + 1/m."""
_ALIKE = 0.05
"""Times whose difference is so small a share are the same: overhead differs a little between one and many."""
_LONGER = 1.5
"""How many times as long those take who came into a crowd of twice the places."""


@dataclass(frozen=True, slots=True)
class Span:
    """One good answer, seconds on one clock."""

    sent_s: float
    ended_s: float


def parallelism(spans: Sequence[Span]) -> Parallelism | None:
    """How many at once; None where nothing shows that they wait for each other."""
    asked = sorted(spans, key=lambda span: span.sent_s)
    found = _in_flight(asked)
    rungs = _ladder(asked, found)
    most = max(found, default=0)
    fits = [(fit, places) for places in range(1, most // 2 + 1) if (fit := _explained(asked, found, places))]
    if not fits:
        return None
    (_, service), places = min(fits)
    return Parallelism(places, round(service, 6), most + 1, _sentence(places, service, most + 1), rungs)


def _in_flight(asked: Sequence[Span]) -> list[int]:
    """How many others each found under way when it was sent."""
    ends = sorted(span.ended_s for span in asked)
    found, left = [], 0
    for index, span in enumerate(asked):
        while left < len(ends) and ends[left] <= span.sent_s:
            left += 1
        found.append(max(0, index - left))
    return found


def _explained(asked: Sequence[Span], found: Sequence[int], places: int) -> tuple[float, float] | None:
    """How unlike those who waited and those who did not were served, and the service time; None: too unlike."""
    last: list[float] = []  # the latest ends of those before, one for each place: the earliest of them is free first
    waited: list[float] = []
    alone: list[float] = []
    crowded: list[float] = []
    first: list[float] = []  # of those who took one of the first half of the places, and of the second: as long,
    final: list[float] = []  # if neither waits
    crowds, inside = 0, False
    for span, others in zip(asked, found, strict=True):
        begins = max(span.sent_s, last[0]) if len(last) == places else span.sent_s
        (waited if others >= places else alone).append(span.ended_s - begins)
        if others < places:
            inside = False
            (final if 2 * others >= places else first).append(span.ended_s - span.sent_s)
        elif others >= 2 * places:
            crowded.append(span.ended_s - span.sent_s)
            crowds += not inside
            inside = True
        if len(last) < places:
            heapq.heappush(last, span.ended_s)
        else:
            heapq.heappushpop(last, span.ended_s)
    if min(len(waited), len(alone), len(crowded)) < _FEWEST or crowds < _FEWEST_CROWDS:
        return None
    if places > 1 and (min(len(first), len(final)) < _STEP or abs(fmean(final) / fmean(first) - 1) > _LIKE):
        return None  # such as where one core is shared by all
    service = fmean(alone)
    unlike = _apart(sorted(waited), sorted(alone))
    chance = _CHANCE * math.sqrt(1 / len(waited) + 1 / len(alone))
    if unlike > _LIKE + chance or abs(fmean(waited) / service - 1) > _LIKE or fmean(crowded) < _LONGER * service:
        return None
    return unlike, service


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference of two empirical distributions (Kolmogorov and Smirnov)."""
    most, i, j = 0.0, 0, 0
    while i < len(one) and j < len(other):
        value = min(one[i], other[j])
        value += abs(value) * _ALIKE
        while i < len(one) and one[i] <= value:
            i += 1
        while j < len(other) and other[j] <= value:
            j += 1
        most = max(most, abs(i / len(one) - j / len(other)))
    return most


def _ladder(asked: Sequence[Span], found: Sequence[int]) -> tuple[Ladder, ...]:
    """How long answers took by how many were in flight with them, itself included."""
    by: dict[int, list[float]] = {}
    for span, others in zip(asked, found, strict=True):
        by.setdefault(others + 1, []).append(span.ended_s - span.sent_s)
    rungs = [(k, spans) for k, spans in sorted(by.items()) if len(spans) >= _STEP]
    return tuple(Ladder(k, len(spans), round(median(spans), 6)) for k, spans in rungs[:12])


def _sentence(places: int, service_s: float, most: int) -> str:
    if places == 1:
        return (
            f"Looks serialised: k in flight take k times as long. One answer takes {human_s(service_s)} of the server, "
            f"so it gives at most {1 / service_s:.3g} a second; up to {most} were in flight."
        )
    return (
        f"Looks as if {places} at a time were worked on, {human_s(service_s)} each, and the others waited: at most "
        f"{places / service_s:.3g} answers a second; up to {most} were in flight."
    )
