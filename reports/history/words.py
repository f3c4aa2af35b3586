"""What every format says about a history, worked out once: tables and sentences. The formats only lay them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testcard.core.quantity import human_s
from testcard.reports.comparison import QUANTILES
from testcard.reports.history.record import Budget, Entry, History, LevelChange, QuantilePoint, Track
from testcard.reports.overview import BOUND_SIGNS, quantile_name
from testcard.reports.table import Table

_CHANGED = {"broke": "✗", "healed": "✓", "warned": "!"}
"""Changes that are worth a line; what was judged for the first time, or not at all, stands in the JSON."""
_MOVED = {"slower": " ▲", "faster": " ▼"}
_SECONDS_FROM = 10.0
_MOST_IDS = 6


def headline(history: History) -> tuple[str, str]:
    """The verdict in a word or two, and in a sentence: what is new, or else what stands as it stood."""
    runs = sum(len(track.entries) for track in history.tracks)
    told = f"{_plural(runs, 'run')} of {_plural(len(history.tracks), 'kind')}"
    if history.left_out:
        told += f", {_plural(len(history.left_out), 'directory', 'directories')} left out"
    said = [
        f"{track.name}, {title(track)}: {'; '.join(lines)}"
        for track in history.tracks
        if (lines := track.regressions if history.regressed else tuple(standing(track)))
    ]
    if said:
        told = f"{' · '.join(said)} ({told})"
    return ("REGRESSION" if history.regressed else "NO REGRESSION"), told


def tone(history: History) -> str:
    """`broken`: something is new; `inconclusive`: nothing is, and not all is well; `kept`."""
    if history.regressed:
        return "broken"
    return "inconclusive" if any(any(standing(track)) for track in history.tracks) else "kept"


def standing(track: Track) -> Iterator[str]:
    """What is not well with the newest run, new or not."""
    if broken := still_broken(track):
        yield f"still broken: {_some(broken)}"
    last = {found.quantile: found for found in sorted(track.changes, key=lambda found: found.shown_at)}
    now = [found for name in QUANTILES if (found := last.get(name)) is not None and found.verdict == "slower"]
    if slower := [f"{found.quantile} since {when(found.at)}" for found in now]:
        yield f"slower than it was: {', '.join(slower)}"
    if refuted := [budget.id for budget in track.budgets if budget.verdict == "refuted"]:
        yield f"overspent: {_some(refuted)}"


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else ""
    return f"{', '.join(ids[:_MOST_IDS])}{more}"


def target(track: Track) -> str:
    """`staging at https://staging.example.net/v1 · model · dialect page`."""
    parts = [f"{track.name or 'unnamed'} at {track.base_url or 'an unknown address'}"]
    parts += [track.model] if track.model else []
    parts += [f"dialect {track.dialect}"] if track.dialect else []
    return " · ".join(parts)


def title(track: Track) -> str:
    """`steady, 20/s poisson, 1024x1024`."""
    load = track.load
    if load is None:
        return "conformance"
    parts = [str(load["scenario"])]
    rates = load.get("rates_per_s")
    pace = str(load.get("arrivals_process", ""))
    if rates:
        ends = list(dict.fromkeys(rate for stage in rates for rate in stage))
        parts.append(f"{' to '.join(f'{rate:g}' for rate in _ends(ends))}/s {pace}".rstrip())
    elif load.get("loop", "open") != "open":
        parts.append(
            f"{load.get('clients', '')} clients in a closed loop".strip() if load["loop"] == "closed" else pace
        )
    parts.append(str(load.get("mix") or load.get("size") or ""))
    return ", ".join(part for part in parts if part)


def _ends(rates: Sequence[float]) -> list[float]:
    return [rates[0]] if len(rates) == 1 else [min(rates), max(rates)]


def when(at: str) -> str:
    """`2026-11-22 15:12`."""
    return at[:16].replace("T", " ")


def runs(track: Track, *, most: int, newest_first: bool = False) -> Table:
    """A row for each of the newest runs."""
    shown = track.entries[-most:]
    loaded = track.load is not None
    per_s = any(point.estimate_s >= _SECONDS_FROM for entry in shown for point in entry.quantiles)
    unit = "s" if per_s else "ms"
    figures = (*(f"{name}, {unit}" for name in QUANTILES), "429") if loaded else ()
    rows = tuple(
        (
            when(entry.started_at),
            entry.verdict.upper().replace("-", " "),
            str(len(entry.broken)),
            *(_figures(entry, per_s=per_s) if loaded else ()),
            "; ".join(news(entry)),
        )
        for entry in shown
    )
    left = len(track.entries) - len(shown)
    note = f"the newest {len(shown)} of {len(track.entries)}" if left else ""
    head = ("began, UTC", "verdict", "broken", *figures, "SLOs and claims; what changed")
    return Table("Runs", note, head, rows[::-1] if newest_first else rows)


def _figures(entry: Entry, *, per_s: bool) -> Iterator[str]:
    by_name = {point.quantile: point for point in entry.quantiles}
    for name in QUANTILES:
        point = by_name.get(name)
        told = "" if point is None else _interval(point, per_s=per_s)
        yield f"({told})" if told and not (entry.counted and entry.validity == "ok") else told
    yield "" if entry.limited is None else f"{entry.limited:,}"


def _interval(point: QuantilePoint, *, per_s: bool) -> str:
    told = _number(point.estimate_s, per_s=per_s)
    if point.lower_s is not None or point.upper_s is not None:
        low = "0" if point.lower_s is None else _number(point.lower_s, per_s=per_s)
        high = "∞" if point.upper_s is None else _number(point.upper_s, per_s=per_s)
        told += f" [{low}, {high}]"
    return told + _MOVED.get(point.verdict, "")


def _number(seconds: float, *, per_s: bool) -> str:
    return f"{seconds:.3g}" if per_s else f"{seconds * 1000:.0f}"


def news(entry: Entry) -> Iterator[str]:
    """What a run said of the SLOs and claims, what changed with it, and why it does not count."""
    asked = [bound for bound in entry.bounds if bound.samples]
    if asked:
        yield " ".join(
            f"{BOUND_SIGNS[bound.verdict]} {bound.id}" if bound.asked else f"({BOUND_SIGNS[bound.verdict]} {bound.id})"
            for bound in sorted(asked, key=lambda bound: not bound.asked)
        )
    for kind, sign in _CHANGED.items():
        ids = [found.id for found in entry.changes if found.kind == kind]
        if ids:
            yield f"{sign} {kind}: {_some(ids)}"
    if entry.reason:
        yield entry.reason


def still_broken(track: Track) -> tuple[str, ...]:
    """The requirements that fail in the newest run that counts."""
    return next((entry.broken for entry in reversed(track.entries) if entry.counted), ())


def levels(track: Track) -> tuple[tuple[str, str], ...]:
    """The lasting changes of latency, a sign and a sentence each, the oldest first."""
    ordered = sorted(track.changes, key=lambda found: (found.at, found.quantile))
    return tuple((_MOVED[found.verdict].strip(), _level(found)) for found in ordered)


def _level(found: LevelChange) -> str:
    share = f" ({found.after_s / found.before_s - 1:+.0%})" if found.before_s else ""
    return (
        f"{found.quantile} {found.verdict} since {when(found.at)}: {human_s(found.before_s)} → {human_s(found.after_s)}"
        f"{share}, certain after {_plural(found.runs_after, 'run')}, {when(found.shown_at)}"
    )


def budgets(track: Track, window_s: float) -> Table:
    """A row for each SLO, and each claim that was asked for."""
    head = ("SLO or claim", "runs", "late", "allowed", "left", "together")
    return Table(
        "Error budgets",
        f"the last {span(window_s)}; runs as kept / refuted / inconclusive; late: arrivals over the bound or without a "
        "good answer",
        head,
        tuple(_budget(found) for found in track.budgets),
    )


def _budget(found: Budget) -> tuple[str, ...]:
    sure = f"at {found.confidence * 100:.4g} % confidence"
    share = found.share_lower if found.verdict == "refuted" else found.share_upper
    told = f"{found.verdict}: {'at least' if found.verdict == 'refuted' else 'at most'} {share:.2%} are late {sure}"
    if found.dispersion > 1:
        told += f"; the runs differ {found.dispersion:.2g} times as much as chance lets them"
    demand = f"{quantile_name(found.quantile)} ≤ {human_s(found.bound_s)}" + (f" at {found.size}" if found.size else "")
    name = found.id if found.kind == "slo" else f"{found.id} ({demand})"
    return (
        name,
        f"{found.kept} / {found.refuted} / {found.inconclusive}",
        f"{found.misses:,} of {found.samples:,}",
        f"{found.allowed:,.4g}",
        f"{found.left_share:.0%}",
        told,
    )


def span(seconds: float) -> str:
    """`30 days`, `12 h`."""
    days = seconds / 86_400
    if days >= 2:
        return f"{days:.3g} days"
    return f"{seconds / 3600:.3g} h" if seconds >= 7200 else human_s(seconds)


def advice(track: Track) -> str:
    """The command that shows what the newest run changed; empty where there is nothing to compare."""
    counted = [entry for entry in track.entries if entry.counted]
    if not track.regressions or len(counted) < 2:
        return ""
    return f"testcard compare {counted[-2].run} {counted[-1].run}"


def _plural(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
