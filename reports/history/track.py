"""The runs of one kind against one target, judged in their order.

Rule 1: what broke, healed or moved between two runs is judged where `compare` judges it (reports/comparison.py).
Rule 2: a run is held against what was last decided, not against one that could not see it. One that did not end
complete is shown, and nothing is held against it; nor does a load count whose generator was late.
Rule 3: a quantile is called slower only where it is slower than every run of its level before it, and that is news only
where there are enough of them: of two nights one is always the slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from testcard.core.loadpart import Interval
from testcard.core.outcome import FAIL, PASS, WARN
from testcard.core.summary import LoadSummary, RequirementResult
from testcard.reports.comparison import (
    LEAST_SHIFT,
    LOAD_KIND,
    QUANTILES,
    Change,
    all_bounds,
    bound_changes,
    incomparable,
    requirement_changes,
    shift,
)
from testcard.reports.history.changepoint import LONGEST, change
from testcard.reports.history.past import Past
from testcard.reports.history.record import BoundPoint, Entry, LevelChange, QuantilePoint

_DECIDED = (PASS, FAIL, WARN)
_LOOK_BACK = 20  # runs of a level that a new one is held against


def kind(load: LoadSummary | None) -> dict[str, Any] | None:
    """What two loads have in common that belong to one track."""
    if load is None:
        return None
    rates = [[_three(stage.rate_per_s), _three(stage.end_rate_per_s)] for stage in load.stages]
    if load.loop == "open" and not rates:
        rates = [[_three(load.offered_rate_per_s)] * 2]
    told = {name: value for name in LOAD_KIND if (value := getattr(load, name)) is not None}
    if load.capacity is None and load.loop == "open":  # elsewhere the rate is an outcome
        told["rates_per_s"] = rates
    return told


def _three(rate: float) -> float:
    return float(f"{rate:.3g}")


class Chronicle:
    """Takes runs in their order; holds what was decided last."""

    def __init__(self) -> None:
        self._decided: dict[str, RequirementResult] = {}
        self._seen: dict[str, RequirementResult] = {}
        self._verdicts: dict[str, str] = {}
        self._levels: dict[str, list[tuple[Past, LoadSummary]]] = {name: [] for name in QUANTILES}
        self._counted = 0
        self.changes: list[LevelChange] = []

    def add(self, past: Past) -> Entry:
        """Judge one run by those before it."""
        facts, load = past.facts, past.load
        counted = facts.ended == "complete"
        changes: tuple[Change, ...] = ()
        points: tuple[QuantilePoint, ...] = ()
        reason = "" if counted else f"it did not end complete: {facts.ended}"
        if counted:
            changes = tuple(self._requirements(past))
        if load is not None:
            unfit = None if counted else reason
            if counted and load.validity != "ok":
                reason = unfit = f"{load.validity}: the figures describe the generator"
            if unfit is None:
                # Of a preview or a crowd the verdicts count, and latency is not held against anything.
                unfit = incomparable(load, load)
                reason = f"latency is not compared: {unfit}" if unfit else ""
                changes = (*changes, *self._bounds(load))
            points = tuple(self._quantiles(past, load, judged=unfit is None))
        self._counted += counted
        return Entry(
            run=str(past.directory),
            started_at=facts.started_at,
            testcard=facts.testcard,
            command=facts.command,
            verdict=facts.verdict,
            exit_code=facts.exit_code,
            headline=facts.headline,
            ended=facts.ended,
            counted=counted,
            reason=reason,
            broken=tuple(row.id for row in past.requirements if row.outcome == FAIL and not row.known),
            changes=changes,
            validity=load.validity if load else None,
            answered=load.arrivals.get("answered", 0) if load else None,
            limited=load.outcomes.get("limited", 0) if load else None,
            quantiles=points,
            bounds=tuple(_bound_points(load)) if load else (),
        )

    def _requirements(self, past: Past) -> Iterator[Change]:
        before = {
            row.id: found
            for row in past.requirements
            if (found := (self._decided if row.outcome in _DECIDED else self._seen).get(row.id)) is not None
        }
        if self._counted:  # the first run breaks nothing
            yield from requirement_changes(before, past.requirements)
        self._seen.update((row.id, row) for row in past.requirements)
        self._decided.update((row.id, row) for row in past.requirements if row.outcome in _DECIDED)

    def _bounds(self, load: LoadSummary) -> Iterator[Change]:
        bounds = all_bounds(load)
        if self._verdicts:
            yield from bound_changes(self._verdicts, bounds)
        self._verdicts.update(
            (bound.id, bound.verdict)
            for bound in bounds
            if bound.verdict != "inconclusive" or bound.id not in self._verdicts
        )

    def _quantiles(self, past: Past, load: LoadSummary, *, judged: bool) -> Iterator[QuantilePoint]:
        for name in QUANTILES:
            if name in load.latency_s:
                verdict, before = self._quantile(name, past, load) if judged else ("not-judged", 0)
                bounds = (load.latency_bounds_s or {}).get(name) or Interval()
                yield QuantilePoint(name, load.latency_s[name], verdict, before, bounds.lower_s, bounds.upper_s)

    def _quantile(self, name: str, past: Past, load: LoadSummary) -> tuple[str, int]:
        """The verdict on a quantile, and how many runs of its level it rests on."""
        bounds = (load.latency_bounds_s or {}).get(name)
        if bounds is None or bounds.lower_s is None or bounds.upper_s is None:
            return "not-judged", 0  # too few samples to say anything of it, or an older version wrote them
        level = self._levels[name]
        found = [
            moved.verdict
            for _, base in level[-_LOOK_BACK:]
            if incomparable(base, load) is None and (moved := shift(name, base, load)) is not None
        ]
        level.append((past, load))
        self._look_for_change(name)
        if not found:
            return "first", 0
        return (found[0] if len(set(found)) == 1 else "same"), len(found)

    def _look_for_change(self, name: str) -> None:
        level = self._levels[name]
        values = [load.latency_s[name] for _, load in level]
        split = change(values, LEAST_SHIFT)
        if split is None:
            del level[:-LONGEST]
            return
        before, after = round(median(values[:split]), 6), round(median(values[split:]), 6)
        first, last = level[split][0], level[-1][0]
        self.changes.append(
            LevelChange(
                quantile=name,
                verdict="slower" if after > before else "faster",
                run=str(first.directory),
                at=first.facts.started_at,
                shown_by=str(last.directory),
                shown_at=last.facts.started_at,
                before_s=before,
                after_s=after,
                runs_before=split,
                runs_after=len(level) - split,
            )
        )
        del level[:split]

    def longest_level(self) -> int:
        """Runs of the quantile that was told most often since its last change."""
        return max(map(len, self._levels.values()))


def _bound_points(load: LoadSummary) -> Iterator[BoundPoint]:
    for word, bounds in (("slo", load.slos), ("claim", load.claims)):
        for bound in bounds:
            yield BoundPoint(
                bound.id, word, bound.verdict, bound.asked, bound.samples, bound.misses,
                bound.estimate_s, bound.lower_s, bound.upper_s,
            )  # fmt: skip
