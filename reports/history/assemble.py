"""From the runs of the past to their history: sorted into tracks, each judged in its order, with its error budgets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from testcard import __version__
from testcard.core.errors import UsageError
from testcard.core.quantity import human_s
from testcard.core.summary import LoadSummary
from testcard.reports.history.budget import budgets
from testcard.reports.history.changepoint import FEWEST
from testcard.reports.history.past import Past
from testcard.reports.history.record import Budget, Entry, History, LeftOut, LevelChange, Track
from testcard.reports.history.track import Chronicle, kind

FEWEST_BEFORE = 10
"""Runs of a level without which one that is slower is no regression: servers differ from night to night."""
_MOCK = "the bundled mock"


def assemble(
    pasts: Sequence[Past],
    left_out: Sequence[LeftOut],
    *,
    now: datetime,
    window_s: float,
    since_s: float | None = None,
    target: str | None = None,
) -> History:
    """The history of these runs, the oldest first.

    Args:
        window_s: of error budgets, back from now. A track whose newest run is older has no news either.
        since_s: look at runs of the last so many seconds only.
        target: look at runs against the target of this name or base URL only.

    Raises:
        UsageError: no run is left.
    """
    chosen = [past for past in pasts if target in (None, past.name, past.base_url)]
    if pasts and not chosen:
        names = sorted({past.name or past.base_url for past in pasts})
        raise UsageError(f"no run is against {target}: there are runs against {', '.join(names[:10])}")
    if since_s is not None:
        begin = _before(now, since_s)
        chosen = [past for past in chosen if past.started >= begin]
        if pasts and not chosen:
            raise UsageError("no run is so young: choose a longer --since")
    groups: dict[tuple[str, ...], list[Past]] = {}
    for past in chosen:
        groups.setdefault(_key(past), []).append(past)
    found = [_track(members, _before(now, window_s)) for _, members in sorted(groups.items())]
    tracks = tuple(sorted(found, key=lambda track: not track.regressions))  # what is worse comes first
    return History(
        testcard=__version__,
        made_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        window_s=window_s,
        regressed=any(track.regressions for track in tracks),
        tracks=tracks,
        left_out=tuple(left_out),
        since_s=since_s,
    )


def _before(now: datetime, span_s: float) -> datetime:
    try:
        return now - timedelta(seconds=span_s)
    except OverflowError:
        return datetime.min.replace(tzinfo=now.tzinfo)


def _key(past: Past) -> tuple[str, ...]:
    # The name is told, and two names of one address are one target; the bundled mock has another port every time.
    address = _MOCK if past.bundled else past.base_url
    return address, past.model, past.dialect, json.dumps(kind(past.load), sort_keys=True)


def _track(members: Sequence[Past], window_begin: datetime) -> Track:
    chronicle = Chronicle()
    entries = tuple(chronicle.add(past) for past in members)
    recent = [past for past in members if past.started >= window_begin]
    last = members[-1]
    counting = [(past, past.load) for past in recent if past.load is not None and _counts(past)]
    spent = budgets([load for _, load in counting])
    news: tuple[str, ...] = ()
    newest = next((number for number in reversed(range(len(entries))) if entries[number].counted), None)
    if newest is not None and members[newest].started >= window_begin:
        before = budgets([load for past, load in counting if past is not members[newest]])
        news = (
            *_news(entries[newest]),
            *_lasting(chronicle.changes, entries[newest]),
            *_overspent(before, spent),
        )
    return Track(
        name=last.name,
        base_url=last.base_url,
        model=last.model,
        dialect=last.dialect,
        load=kind(last.load),
        entries=entries,
        changes=tuple(chronicle.changes),
        budgets=spent,
        regressions=news,
        notes=tuple(_notes(entries, members, chronicle)),
    )


def _counts(past: Past) -> bool:
    """Whether its verdicts on SLOs and claims count."""
    load: LoadSummary | None = past.load
    return past.facts.ended == "complete" and load is not None and load.validity == "ok"


def _news(entry: Entry) -> Iterator[str]:
    for found in entry.changes:
        if found.regression:
            yield f"{found.id} broke: {found.base} → {found.new}"
    slower = [p for p in entry.quantiles if p.verdict == "slower" and p.runs_before >= FEWEST_BEFORE]
    if slower:
        told = ", ".join(f"{point.quantile} {human_s(point.estimate_s)}" for point in slower)
        yield f"slower than each of {min(point.runs_before for point in slower)} runs before: {told}"


def _lasting(changes: Iterable[LevelChange], entry: Entry) -> Iterator[str]:
    for level in changes:
        if level.verdict == "slower" and level.shown_by == entry.run:
            yield (
                f"{level.quantile} is slower for good since {level.at}: {human_s(level.before_s)} before, "
                f"{human_s(level.after_s)} in the {level.runs_after} runs from then on"
            )


def _overspent(before: Iterable[Budget], now: Iterable[Budget]) -> Iterator[str]:
    """Budgets of which it became certain with the newest run that more is spent than there is."""
    was = {(budget.kind, budget.id, budget.size): budget.verdict for budget in before}
    for budget in now:
        if budget.verdict == "refuted" and was.get((budget.kind, budget.id, budget.size), "refuted") != "refuted":
            yield f"the error budget of {budget.id} is overspent: {budget.misses:,} late, {budget.allowed:,.4g} allowed"


def _notes(entries: Sequence[Entry], members: Sequence[Past], chronicle: Chronicle) -> Iterator[str]:
    versions = list(dict.fromkeys(entry.testcard for entry in entries))
    if len(versions) > 1:
        yield f"written by testcard {', '.join(versions)}: a later version may judge more requirements"
    loads = [past.load for past in members if past.load is not None]
    if any(load.latency_s and load.latency_bounds_s is None for load in loads):
        yield (
            "runs without confidence bounds of their latency are shown and compared with none: an older version wrote "
            "them; `testcard report RUN` writes them anew"
        )
    seen = chronicle.longest_level()
    if loads and seen < FEWEST:
        yield (
            f"a lasting change of latency shows in {FEWEST} runs of a level at the earliest, and there "
            f"{'is' if seen == 1 else 'are'} {seen}"
        )
