"""What changed between two runs of the same target: requirements that broke or healed, and latency.

A difference of latency is one only where the two runs' confidence intervals do not overlap and the shift is
large enough to matter; two noisy runs are not a regression. A history (reports/history) judges by the same functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from testcard.core.loadpart import Interval
from testcard.core.outcome import FAIL, NOT_JUDGED, PASS, WARN
from testcard.core.record import Jsonable
from testcard.core.summary import Bound, LoadSummary, RequirementResult, Summary

LEAST_SHIFT = 0.05
"""A shift of a quantile below 5 % is not called a change, however certain it is."""
QUANTILES = ("p50", "p95", "p99")
LOAD_KIND = ("scenario", "arrivals_process", "size", "mix", "loop", "clients", "think_s")
"""What has to be the same in two loads of which the latencies are compared; and the offered rate, nearly."""


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


def compare(base: Summary, new: Summary, base_run: Path, new_run: Path) -> Comparison:
    """Hold a run against an earlier one, both named by their directories."""
    notes = list(_notes(base, new))
    shifts: tuple[Shift, ...] = ()
    if base.load is not None and new.load is not None:
        reason = incomparable(base.load, new.load)
        if reason is None:
            shifts = tuple(found for name in QUANTILES if (found := shift(name, base.load, new.load)))
        else:
            notes.append(f"latency is not compared: {reason}")
    before = {row.id: row for row in base.requirements or ()}
    verdicts = {bound.id: bound.verdict for bound in all_bounds(base.load)}
    changes = (
        *requirement_changes(before, new.requirements or ()),
        *bound_changes(verdicts, all_bounds(new.load)),
    )
    return Comparison(str(base_run), str(new_run), changes, shifts, tuple(notes))


def requirement_changes(before: Mapping[str, RequirementResult], now: Iterable[RequirementResult]) -> Iterator[Change]:
    """The requirements that ended otherwise than before; one that was not there before was `absent`."""
    for row in now:
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


def bound_changes(before: Mapping[str, str], now: Iterable[Bound]) -> Iterator[Change]:
    """Claims and SLOs, by their verdicts before; a refuted one is broken only where the new run was asked for it."""
    for bound in now:
        was = before.get(bound.id, "absent")
        if bound.verdict == was or not bound.asked:
            continue
        kind = {"refuted": "broke", "kept": "healed"}.get(bound.verdict, "unjudged")
        if kind == "healed" and was != "refuted":
            kind = "judged"
        actual = "" if bound.estimate_s is None else f"{bound.estimate_s:.3f} s for a bound of {bound.bound_s:g} s"
        yield Change(bound.id, kind, was, bound.verdict, actual)


def all_bounds(load: LoadSummary | None) -> tuple[Bound, ...]:
    """Claims and SLOs."""
    return (*load.claims, *load.slos) if load else ()


def shift(name: str, base: LoadSummary, new: LoadSummary) -> Shift | None:
    """How a quantile moved, by its confidence intervals; None where one of the loads does not state it with them."""
    if base.latency_bounds_s is None or new.latency_bounds_s is None:
        return None
    old, now = base.latency_s.get(name), new.latency_s.get(name)
    was, is_ = base.latency_bounds_s.get(name), new.latency_bounds_s.get(name)
    if old is None or now is None or was is None or is_ is None:
        return None
    verdict = "same"
    if _above(is_, was) and now > old * (1 + LEAST_SHIFT):
        verdict = "slower"
    elif _above(was, is_) and now < old * (1 - LEAST_SHIFT):
        verdict = "faster"
    return Shift(name, old, now, verdict)


def _above(one: Interval, other: Interval) -> bool:
    """Whether an interval lies wholly above another; an open end reaches everything."""
    return one.lower_s is not None and other.upper_s is not None and one.lower_s > other.upper_s


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
    if base.capacity is not None or new.capacity is not None:
        return "a search for the capacity mixes rates; compare the rates that were found, in the reports"
    for name in LOAD_KIND:
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
