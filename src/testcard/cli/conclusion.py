"""From a run directory to its summary: the same for a run that just ended, one of last week, one that was cut off."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testcard.cli.supply import unjudged_sentence
from testcard.conformance import Tally, gate
from testcard.core import outcome
from testcard.core.outcome import Signals, exit_code, verdict
from testcard.core.record import Record
from testcard.core.runfile import Footer, Header, RunFile
from testcard.core.summary import Bound, Cost, LoadSummary, RequirementResult, Summary
from testcard.core.target import KnownFailure, Slo

_ERROR = 5
_MOST_ADVICE = 6
_MOST_FIXES = 2
_MOST_KINDS = 1000


class _Totals:
    """What was spent, and whether a load was answered at all."""

    def __init__(self) -> None:
        self.records = self.requests = self.images = self.media = 0
        self.loaded = self.loaded_well = 0
        self._instead: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        self.records += 1
        self.requests += record.sent_s is not None and record.picture_of is None
        self.images += record.images
        self.media += record.media_fetches
        if record.outcome is not None:
            self.loaded += 1
            well = record.outcome in ("valid", "invalid")
            self.loaded_well += well
            if not well and len(self._instead) < _MOST_KINDS:
                self._instead[str(record.status) if record.failure is None else record.failure] += 1

    @property
    def instead(self) -> str:
        """What came in place of pictures."""
        (most, times), *_ = self._instead.most_common(1)
        return f"no arrival was answered with a 2xx; {times:,} of {self.loaded:,} ended with {most[:120]}"


def conclude(directory: Path, unwritten: Footer | None = None) -> Summary:
    """The summary of a run directory, from its records alone.

    Args:
        unwritten: the run's footer, where the disk was too full for it.

    Raises:
        RunFileError: there is no run, or it cannot be read.
    """
    run = RunFile(directory)
    header, footer = run.header, run.footer() or unwritten
    options = header.options or {}
    tally = Tally(
        strict=bool(options.get("strict")),
        known=[KnownFailure(**row) for row in options.get("known_failures", ())],
        dialect=str(header.target.get("dialect", "page")),
    )
    totals = _Totals()
    for record in run.records():
        tally.add(record)
        totals.add(record)
    for finding in run.findings():
        tally.add(finding)
    for skip in run.skips():
        tally.add(skip)
    checked = bool(header.requirements)
    names = header.requirements if checked else tally.seen()
    results = tuple(tally.result(name) for name in names)
    load = _load(run, options, directory)
    ended = footer.ended if footer else "cut-off"
    reason = footer.reason if footer else f"the run was cut off after {totals.requests} requests"
    if checked and ended == "complete":
        watched = gate(record for record in run.records() if record.phase == "check")
        ended, reason = ("unanswered", watched) if watched else (ended, reason)
    if not checked and totals.loaded and not totals.loaded_well and ended == "complete":
        ended, reason = "unanswered", totals.instead
    missing = (_damage(run, footer, totals) or _missing(run, directory)) if ended == "complete" else None
    reason = reason or missing
    bounds = [bound for bound in (*load.claims, *load.slos) if bound.asked] if load else []
    stale = tally.stale(names)
    signals = Signals(
        interrupted=ended == "interrupted",
        error=ended == "error",
        unanswered=ended == "unanswered",
        broken=bool(stale)
        or any(row.outcome == outcome.FAIL and not row.known for row in results)
        or any(bound.verdict == "refuted" for bound in bounds),
        inconclusive=ended in ("budget", "cut-off")
        or missing is not None
        or any(bound.verdict == "inconclusive" for bound in bounds),
        unjudged_must=any(row.outcome == outcome.NOT_JUDGED and row.level == "MUST" for row in results),
        require_all=bool(options.get("require_all")),
    )
    code = exit_code(signals)
    price = header.target.get("price_usd_per_image")
    return Summary(
        testcard=header.testcard,
        command=header.command,
        verdict=verdict(code),
        exit_code=code,
        target=header.target,
        started_at=header.started_at,
        seed=header.seed,
        cost=Cost(totals.requests, totals.images, totals.media, _usd(totals.images, price)),
        headline="; ".join(
            part.removesuffix(".")
            for part in (
                _headline(code, reason, results, bounds, stale, load),
                load.capacity.sentence if load and load.capacity and not signals.unanswered else "",
                _limiter(load, ended),
            )
            if part
        ),
        advice=_advice(header, footer, results, bounds, stale, load, reason, code)[:_MOST_ADVICE],
        ended_at=footer.ended_at if footer else None,
        ended=ended,
        requirements=results if names else None,
        load=load,
    )


def failed(summary: Summary, reason: str) -> Summary:
    """The same of a run that could not be written down: an error of ours, whatever it had found."""
    both = (
        (summary.headline, reason)
        if summary.exit_code == _ERROR
        else (reason, f"what it had found: {summary.headline}")
    )
    return dataclasses.replace(
        summary, verdict=verdict(_ERROR), exit_code=_ERROR, ended="error", headline="; ".join(both)
    )


def _usd(images: int, price: Any) -> float | None:
    return round(images * price, 6) if isinstance(price, (int, float)) else None


def _load(run: RunFile, options: dict[str, Any], directory: Path) -> LoadSummary | None:
    if run.header.load is None or not any(record.outcome for record in run.records()):
        return None
    from testcard.load import Generator, Truth
    from testcard.load import conclude as conclude_load

    return conclude_load(
        run.header.load,
        run.records(),
        claims=tuple(options.get("claims", ())),
        slos=tuple(Slo(**row) for row in options.get("slos", ())),
        generator=Generator.read(directory),
        price_usd=run.header.target.get("price_usd_per_image"),
        truth=Truth.read(directory),
    )


def _damage(run: RunFile, footer: Footer | None, totals: _Totals) -> str | None:
    """What is left of a file that was whole once: a verdict on fewer records than there were would be another's."""
    if footer is None or totals.records >= footer.records:
        return None
    lost = footer.records - totals.records
    return f"{run.path} is damaged: {lost:,} of its {footer.records:,} records cannot be read"


def _missing(run: RunFile, directory: Path) -> str | None:
    """What a load lost with its workers."""
    if run.header.load is None:
        return None
    from testcard.load import Generator

    generator = Generator.read(directory)
    return generator.missing if generator else None


def _headline(
    code: int,
    reason: str | None,
    results: Sequence[RequirementResult],
    bounds: Sequence[Bound],
    stale: Sequence[str],
    load: LoadSummary | None,
) -> str:
    if code in (130, 5) or (code == 3 and reason):
        return reason or verdict(code)
    broken = [row.id for row in results if row.outcome == outcome.FAIL and not row.known]
    refuted = [bound.id for bound in bounds if bound.verdict == "refuted"]
    if code == 1:
        parts = []
        if broken:
            parts.append(f"{len(broken)} of {len(results)} requirements: {_some(broken)}")
        if refuted:
            parts.append(f"{_some(refuted)} refuted")
        return "; ".join([*parts, *stale])
    if code == 4:
        open_bounds = [bound.id for bound in bounds if bound.verdict == "inconclusive"]
        if load is not None and load.validity != "ok":
            return reason or f"{load.validity}: nothing is certified from this load, so not {_some(open_bounds)}"
        return reason or f"too few samples to decide {_some(open_bounds)}"
    unjudged = [row for row in results if row.outcome == outcome.NOT_JUDGED]
    if code == 3:
        return f"{len(unjudged)} requirements were left unjudged: {_some([row.id for row in unjudged])}"
    kept = sum(row.outcome == outcome.PASS for row in results)
    rest = f"; {unjudged_sentence(unjudged)}" if unjudged else ""
    certified = f"; {_some([bound.id for bound in bounds])} certified" if bounds else ""
    warned = sum(row.outcome == outcome.WARN for row in results)
    should = f"; {warned} SHOULD {'does' if warned == 1 else 'do'} not" if warned else ""
    held = f"{kept} requirements hold{should}" if results else "nothing broken"
    unserved = _unserved(load)
    return held + (f"; {unserved}" if unserved else "") + certified + (rest if results else "")


def _unserved(load: LoadSummary | None) -> str:
    """How many arrivals were answered without a picture; empty where all had one, or where a limit was sought."""
    if load is None or load.loop in ("crowd", "probe"):
        return ""
    instead = {name: n for name, n in load.outcomes.items() if n and name not in ("valid", "invalid")}
    if not instead:
        return ""
    told = ", ".join(f"{name} {number:,}" for name, number in instead.items())
    answered = load.arrivals["answered"]
    return f"{sum(instead.values()):,} of {answered:,} arrivals were answered without a picture ({told})"


def _limiter(load: LoadSummary | None, ended: str) -> str:
    """Which limiter was found; that none was seen says nothing where the search did not come to its end."""
    if load is None or load.limit is None or ended == "unanswered":
        return ""
    found = load.limit.limiter
    return "" if ended != "complete" and found.kind == "no-limit-seen" else found.sentence


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return shown + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _advice(
    header: Header,
    footer: Footer | None,
    results: Sequence[RequirementResult],
    bounds: Sequence[Bound],
    stale: Sequence[str],
    load: LoadSummary | None,
    reason: str | None,
    code: int,
) -> tuple[str, ...]:
    """What to do next, the most important first."""
    if reason and footer is not None and footer.ended == "unanswered":
        return (reason,)
    said = list(stale)
    if reason and (footer is None or footer.ended != "unanswered"):
        said.append(f"{reason}; what was recorded stands below")
    broken = [row for row in results if row.outcome == outcome.FAIL and not row.known]
    said += [f"fix {row.id}: expected {row.expected}, got {row.actual}" for row in broken[:_MOST_FIXES]]
    if len(broken) > _MOST_FIXES:
        said.append(f"and {len(broken) - _MOST_FIXES} more that are broken")
    said += [
        f"{bound.id} is refuted: {bound.misses:,} of {bound.samples:,} {bound.samples_of} were over the bound, or had "
        "no valid answer"
        for bound in bounds
        if bound.verdict == "refuted"
    ]
    said += [f"{bound.id}: {bound.advice}" for bound in bounds if bound.verdict == "inconclusive" and bound.advice]
    unserved = _unserved(load)
    if unserved and not bounds:
        said.append(f"{unserved}: no verdict counts them unless --slo or --claim asks for one")
    unjudged = [row for row in results if row.outcome == outcome.NOT_JUDGED]
    if unjudged and code != 0:  # of a run that is kept, the headline says it
        said.append(unjudged_sentence(unjudged))
    if load is not None and load.validity != "ok":
        said.append("the load generator could not keep its plan: its figures describe this machine, not the target")
    options = header.options or {}
    if options.get("load_left_out"):
        said.append(str(options["load_left_out"]))
    return tuple(said)
