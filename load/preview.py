"""How fresh the picture on the screen is while somebody types. Pure arithmetic on a timeline.

At a moment t the screen shows the newest picture that has come by then; its age is t minus the moment at which its
prompt was typed. Before the first picture the age counts from the first prompt: so long has the person waited for
anything. Quantiles are over the time, not over pictures: p95 is the age that the screen keeps 95 % of the time.

For a verdict, one glance at a random moment of every 2 s of the time: glances so far apart have little to do with each
other as long as pictures come more often than that, and each either sees a picture that is too old or does not.
"""

from __future__ import annotations

import bisect
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from testcard.core.loadpart import PreviewFigures
from testcard.core.record import Record
from testcard.load.plan import MEASURED, LoadPlan
from testcard.load.tally import GOOD

GLANCE_S = 2.0
_QUANTILES = {"p50": 0.5, "p95": 0.95, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that came to the screen; absolute seconds on one clock."""

    typed_s: float
    at_s: float


@dataclass(slots=True)
class Screen:
    """Gathers what was typed and what was shown."""

    _shown: list[Shown] = field(default_factory=list)
    _typed: list[float] = field(default_factory=list)
    """Moments of measured prompts."""
    _first: float | None = None
    _count: dict[str, int] = field(default_factory=dict)
    _measured_shown: int = 0
    _billed_unseen: int = 0

    def add(self, record: Record) -> None:
        """Take one prompt with what became of it."""
        typed = record.planned_s
        self._first = typed if self._first is None else min(self._first, typed)
        measured = record.phase == MEASURED
        seen = record.media_s if record.media_s is not None else record.last_byte_s
        if record.outcome == "valid" and seen is not None:
            self._shown.append(Shown(typed, seen))
            self._measured_shown += measured
        elif measured:
            self._billed_unseen += record.images
        if measured:
            self._typed.append(typed)
            outcome = record.outcome or "lost"
            self._count[outcome] = self._count.get(outcome, 0) + 1

    def figures(self, plan: LoadPlan) -> PreviewFigures | None:
        """What the person saw; None where less than two measured prompts were typed."""
        if len(self._typed) < 2:
            return None
        prompts, cancelled = len(self._typed), self._count.get("cancelled", 0)
        wasted = cancelled + sum(self._count.get(name, 0) for name in GOOD) - self._measured_shown
        begin, end = min(self._typed), max(self._typed)
        ages = age_quantiles(self._pieces())
        return PreviewFigures(
            prompts=prompts,
            shown=self._measured_shown,
            cancelled=cancelled,
            failed=prompts - self._measured_shown - cancelled,
            shown_share=round(self._measured_shown / prompts, 4),
            age_s={name: round(age, 6) for name, age in ages.items()},
            watched_s=round(end - begin, 6),
            wasted=wasted,
            wasted_images=wasted * plan.most_n,
            billed_unseen=self._billed_unseen,
        )

    def glances(self, seed: int) -> list[float]:
        """The ages that one glance at a random moment of every 2 s sees."""
        pieces = self._pieces()
        if not pieces:
            return []
        dice = random.Random(f"{seed} glances")  # noqa: S311 (a sample, not a secret)
        begin, end = pieces[0].begin_s, pieces[-1].end_s
        begins = [piece.begin_s for piece in pieces]
        found = []
        while begin + GLANCE_S <= end + 1e-9:
            moment = begin + dice.random() * GLANCE_S
            found.append(moment - pieces[bisect.bisect_right(begins, moment) - 1].typed_s)
            begin += GLANCE_S
        return found

    def _pieces(self) -> list[Piece]:
        if self._first is None or len(self._typed) < 2:
            return []
        return pieces(self._shown, self._first, min(self._typed), max(self._typed))


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
