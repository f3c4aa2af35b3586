"""What a screen shows while somebody types: arithmetic on a timeline of pictures.

At a moment t the screen shows the newest picture that has come by then; its age is t minus the moment at which its
prompt was typed. Before the first picture the age counts from the first prompt: so long has the person waited for
anything. Quantiles are over the time, not over pictures: p95 is the age that the screen keeps 95 % of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from testcard.core.record import Record

_QUANTILES = {"p50": 0.5, "p95": 0.95, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that came to the screen; absolute seconds on one clock."""

    typed_s: float
    at_s: float


def came_s(record: Record) -> float | None:
    """When the picture of an arrival was on the screen; None: it never was. A picture that breaks the contract in
    some way is seen all the same."""
    if record.outcome != "valid" and not (record.outcome == "invalid" and any(p.format for p in record.pictures)):
        return None
    return record.media_s if record.media_s is not None else record.last_byte_s


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time in which one picture is on the screen, or none yet."""

    begin_s: float
    end_s: float
    typed_s: float
    """When its prompt was typed; before the first picture, when the first prompt was."""


def pieces(shown: Sequence[Shown], first_typed_s: float, begin_s: float, end_s: float) -> list[Piece]:
    """What stood on the screen from `begin_s` to `end_s`. A picture older than the one that stands there changes
    nothing."""
    found: list[Piece] = []
    since = begin_s
    current: float | None = None
    for picture in sorted(shown, key=lambda one: one.at_s):
        if picture.at_s >= end_s:
            break
        if current is not None and picture.typed_s <= current:
            continue
        if picture.at_s > since:
            found.append(Piece(since, picture.at_s, first_typed_s if current is None else current))
            since = picture.at_s
        current = picture.typed_s
    if end_s > since:
        found.append(Piece(since, end_s, first_typed_s if current is None else current))
    return found


def age_quantiles(timeline: Sequence[Piece]) -> dict[str, float]:
    """p50, p95 and the maximum of the age over the time, exactly; {} where no time passed."""
    total = sum(piece.end_s - piece.begin_s for piece in timeline)
    if total <= 0:
        return {}
    # In each piece the age rises by a second a second: it spends equal times at all ages from its youngest to its
    # oldest. How much time was spent at ages up to x is a line that bends at those.
    bends = sorted(
        bend for piece in timeline for bend in ((piece.begin_s - piece.typed_s, 1), (piece.end_s - piece.typed_s, -1))
    )
    levels = {name: q * total for name, q in _QUANTILES.items()}
    found: dict[str, float] = {}
    slope, spent, last = 0, 0.0, bends[0][0]
    for age, change in bends:
        here = spent + slope * (age - last)
        for name, level in levels.items():
            if name not in found and slope and here >= level:
                found[name] = last + (level - spent) / slope
        slope, spent, last = slope + change, here, age
    return {name: found.get(name, last) for name in levels} | {"max": last}
