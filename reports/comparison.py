"""What changed between two runs of the same target: requirements that broke or healed, and latency.

A difference of latency is one only where the two runs' confidence intervals do not overlap and the shift is
large enough to matter; two noisy runs are not a regression.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from testcard.core.outcome import FAIL, NOT_JUDGED, PASS, WARN
from testcard.core.quantile import lower_rank, quantile, upper_rank
from testcard.core.record import Jsonable
from testcard.core.runfile import RunFile
from testcard.core.summary import Bound, LoadSummary, RequirementResult, Summary

CONFIDENCE = 0.95
LEAST_SHIFT = 0.05
"""A shift of a quantile below 5 % is not called a change, however certain it is."""
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Change(Jsonable):
    """One requirement, claim or SLO that ended otherwise than before."""

    id: str
    kind: str
    """`broke`, `healed`, `warned`, `unjudged` (was judged before) or `judged` (was not)."""
    base: str
    new: str
    actual: str = ""
    reproduce: str = ""

    @property
    def regression(self) -> bool:
        return self.kind == "broke"


@dataclass(frozen=True, slots=True)
class Shift(Jsonable):
    """One quantile of latency (planned to last byte, answers with a 2xx) in both runs, seconds."""

    quantile: str
    base_s: float
    new_s: float
    verdict: str
    """`slower`, `faster` or `same`: no difference that these samples could show."""


@dataclass(frozen=True, slots=True)
class Comparison(Jsonable):
    """What `testcard compare` found."""

    base: str
    new: str
    changes: tuple[Change, ...] = ()
    shifts: tuple[Shift, ...] = ()
    notes: tuple[str, ...] = ()
    """Why something was not compared, a sentence each."""

    @property
    def regressed(self) -> bool:
        """Whether anything broke or became slower."""
        return any(c.regression for c in self.changes) or any(s.verdict == "slower" for s in self.shifts)


def compare(base: Summary, new: Summary, base_run: RunFile, new_run: RunFile) -> Comparison:
    """Hold a run against an earlier one."""
    notes = list(_notes(base, new))
    shifts: tuple[Shift, ...] = ()
    if base.load is not None and new.load is not None:
        reason = incomparable(base.load, new.load)
        if reason is None:
            shifts = tuple(_shifts(latencies(base_run), latencies(new_run)))
        else:
            notes.append(f"latency is not compared: {reason}")
    changes = (*_requirements(base, new), *_bounds(base, new))
    return Comparison(str(base_run.path.parent), str(new_run.path.parent), changes, shifts, tuple(notes))


def latencies(run: RunFile) -> list[float]:
    """Planned to last byte of the measured arrivals that a 2xx answered, ascending, seconds."""
    return sorted(
        record.last_byte_s - record.planned_s
        for record in run.records()
        if record.phase == "measured" and record.outcome in ("valid", "invalid") and record.last_byte_s is not None
    )


def _requirements(base: Summary, new: Summary) -> Iterator[Change]:
    before = {row.id: row for row in base.requirements or ()}
    for row in new.requirements or ():
        earlier = before.get(row.id)
        kind = _kind(earlier, row)
        if kind is not None:
            told = earlier.outcome if earlier else "absent"
            yield Change(row.id, kind, told, row.outcome, row.actual, row.reproduce)


def _kind(before: RequirementResult | None, now: RequirementResult) -> str | None:
    """How a requirement changed; a failure that is accepted until a date is no news."""
    was = before.outcome if before else None
    if now.outcome == was or now.known:
        return None
    if now.outcome == FAIL:
        return "broke"
    if was == FAIL and now.outcome == PASS:
        return "healed"
    if now.outcome == WARN:
        return "warned"
    if was == WARN and now.outcome == PASS:
        return "healed"
    if now.outcome == NOT_JUDGED:
        return "unjudged"
    return "judged" if was == NOT_JUDGED else None


def _bounds(base: Summary, new: Summary) -> Iterator[Change]:
    """Claims and SLOs; a refuted one is broken only where the new run was asked to certify it."""
    before = {bound.id: bound for bound in _all_bounds(base.load)}
    for bound in _all_bounds(new.load):
        was = before[bound.id].verdict if bound.id in before else "absent"
        if bound.verdict == was or not bound.asked:
            continue
        kind = {"refuted": "broke", "kept": "healed"}.get(bound.verdict, "unjudged")
        if kind == "healed" and was != "refuted":
            kind = "judged"
        actual = "" if bound.estimate_s is None else f"{bound.estimate_s:.3f} s for a bound of {bound.bound_s:g} s"
        yield Change(bound.id, kind, was, bound.verdict, actual)


def _all_bounds(load: LoadSummary | None) -> tuple[Bound, ...]:
    return (*load.claims, *load.slos) if load else ()


def _shifts(base: Sequence[float], new: Sequence[float]) -> Iterator[Shift]:
    if not base or not new:
        return
    for name, q in _QUANTILES.items():
        old, now = quantile(base, q), quantile(new, q)
        verdict = "same"
        if _at_least(new, q) > _at_most(base, q) and now > old * (1 + LEAST_SHIFT):
            verdict = "slower"
        elif _at_least(base, q) > _at_most(new, q) and now < old * (1 - LEAST_SHIFT):
            verdict = "faster"
        yield Shift(name, round(old, 6), round(now, 6), verdict)


def _at_least(ordered: Sequence[float], q: float) -> float:
    """The lower confidence bound of a quantile; 0 where the samples give none."""
    found = lower_rank(len(ordered), q, CONFIDENCE)
    return 0.0 if found is None else ordered[found - 1]


def _at_most(ordered: Sequence[float], q: float) -> float:
    """The upper confidence bound of a quantile; infinite where the samples give none."""
    found = upper_rank(len(ordered), q, CONFIDENCE)
    return float("inf") if found is None else ordered[found - 1]


def _notes(base: Summary, new: Summary) -> Iterator[str]:
    for name in ("base_url", "model", "dialect"):
        if base.target.get(name) != new.target.get(name):
            yield f"the runs differ in {name}: {base.target.get(name)} and {new.target.get(name)}"
    for which, summary in (("base", base), ("new", new)):
        if summary.ended != "complete":
            yield f"the {which} run is not complete ({summary.ended}): what it does not hold is not compared"


def incomparable(base: LoadSummary, new: LoadSummary) -> str | None:
    """Why two loads measured different things, or None."""
    if base.validity != "ok" or new.validity != "ok":
        return "a generator could not keep its plan"
    if "replace" in (base.loop, new.loop):
        return "a preview cancels what is slow; compare the figures of its screen, in the reports"
    if "crowd" in (base.loop, new.loop):
        return "a crowd goes over the limit on purpose; compare what became of its clients, in the reports"
    for name in ("scenario", "arrivals_process", "size", "mix", "loop", "clients", "think_s"):
        if getattr(base, name) != getattr(new, name):
            return f"the loads differ in {name.replace('_', ' ')}: {getattr(base, name)} and {getattr(new, name)}"
    rates = sorted((base.offered_rate_per_s, new.offered_rate_per_s))
    if rates[1] > rates[0] * 1.1:
        return f"the offered rates differ: {base.offered_rate_per_s:g}/s and {new.offered_rate_per_s:g}/s"
    return None


def comparison_text(found: Comparison) -> str:
    """The comparison as a person reads it."""
    lines = [f"base  {found.base}", f"new   {found.new}", ""]
    signs = {"broke": "✗", "healed": "✓", "warned": "!", "unjudged": "?", "judged": "·"}
    for change in found.changes:
        actual = f"  {change.actual}" if change.actual else ""
        lines.append(f"  {signs[change.kind]} {change.id}  {change.kind}: {change.base} → {change.new}{actual}")
        if change.reproduce and change.regression:
            lines.append(f"      try  {change.reproduce}")
    for shift in found.shifts:
        ratio = shift.new_s / shift.base_s - 1 if shift.base_s else 0.0
        told = "no difference that these samples show" if shift.verdict == "same" else shift.verdict
        lines.append(
            f"  {shift.quantile:<4} {shift.base_s * 1000:.0f} ms → {shift.new_s * 1000:.0f} ms ({ratio:+.1%}): {told}"
        )
    lines += [f"  · {note}" for note in found.notes]
    if not found.changes and not found.shifts:
        lines.append("  nothing changed")
    broke = [change.id for change in found.changes if change.regression]
    slower = [shift.quantile for shift in found.shifts if shift.verdict == "slower"]
    said = [f"{len(broke)} broke: {', '.join(broke)}"] if broke else []
    said += [f"slower at {', '.join(slower)}"] if slower else []
    lines += ["", f"REGRESSION  {'; '.join(said)}" if found.regressed else "NO REGRESSION"]
    return "\n".join(lines)
