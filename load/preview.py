"""How fresh the picture on the screen is while somebody types (core/screen.py), and how many were made for nobody.

For a verdict, one glance at a random moment of every 2 s of the time: glances so far apart have little to do with each
other as long as pictures come more often than that, and each either sees a picture that is too old or does not.
"""

from __future__ import annotations

import bisect
import random
from dataclasses import dataclass, field

from testcard.core.loadpart import PreviewFigures
from testcard.core.record import Record
from testcard.core.screen import Piece, Shown, age_quantiles, came_s, pieces
from testcard.load.plan import MEASURED, LoadPlan
from testcard.load.tally import GOOD

GLANCE_S = 2.0


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
        seen = came_s(record)
        if seen is not None:
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
        timeline = self._pieces()
        if not timeline:
            return []
        dice = random.Random(f"{seed} glances")
        begin, end = timeline[0].begin_s, timeline[-1].end_s
        begins = [piece.begin_s for piece in timeline]
        found = []
        while begin + GLANCE_S <= end + 1e-9:
            moment = begin + dice.random() * GLANCE_S
            found.append(moment - timeline[bisect.bisect_right(begins, moment) - 1].typed_s)
            begin += GLANCE_S
        return found

    def _pieces(self) -> list[Piece]:
        if self._first is None or len(self._typed) < 2:
            return []
        return pieces(self._shown, self._first, min(self._typed), max(self._typed))
