"""The charts of a history: a latency's quantiles run by run, and the share of late arrivals against what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testcard.core.quantity import human_s
from testcard.reports.chart import NARROW, WIDE, latency_axis, log_s, round_step
from testcard.reports.comparison import QUANTILES
from testcard.reports.drawing import Layer, Point, Shape, Tick, draw
from testcard.reports.figure import Figure
from testcard.reports.history.record import Entry, Track
from testcard.reports.history.words import when


def figures(track: Track, number: int, most: int) -> Iterator[Figure]:
    """The charts of a track that was loaded; those with fewer than two points are left out.

    Args:
        number: of the track on its page.
        most: runs that are drawn, the newest.
    """
    shown = [entry for entry in track.entries if _stands(entry)][-most:]
    if len(shown) < 2:
        return
    legend = [(f"line-{name}", name) for name in QUANTILES]
    legend += [("edge", "confidence bounds, 95 % each")]
    legend += [
        (f"bound bound-{verdict}", f"{name}: {verdict} in the newest run") for name, _, verdict in _limits(track)
    ]
    legend += [("stage-mark", "a lasting change begins")] if track.changes else []
    yield Figure(
        f"latency-{number}", "Latency, run by run",
        "Planned to last byte, over the answers with a 2xx. Runs that do not count are not drawn; the distance between "
        "two runs is not their distance in time.",
        tuple(legend), _latency(track, shown, WIDE), _latency(track, shown, NARROW),
    )  # fmt: skip


def _stands(entry: Entry) -> bool:
    return entry.counted and entry.validity == "ok" and bool(entry.quantiles)


def _latency(track: Track, shown: Sequence[Entry], shape: Shape) -> str:
    layers: list[Layer] = []
    seconds: list[float] = []
    edges: list[Layer] = []
    for name in QUANTILES:
        line: list[Point] = []
        low: list[Point] = []
        high: list[Point] = []
        for place, entry in enumerate(shown):
            point = next((point for point in entry.quantiles if point.quantile == name), None)
            if point is None:
                continue
            told = f"{name} {human_s(point.estimate_s)}, {when(entry.started_at)}"
            line.append(Point(place, log_s(point.estimate_s), told))
            seconds.append(point.estimate_s)
            for bound, points in ((point.lower_s, low), (point.upper_s, high)):
                if bound is not None:
                    points.append(Point(place, log_s(bound)))
                    seconds.append(bound)
        edges += [Layer(f"edge line-{name}", points) for points in (low, high)]
        layers.append(Layer(f"line-{name}", line, dots=True))
    last = max(1, len(shown) - 1)
    limits = list(_limits(track))
    seconds += [bound_s for _, bound_s, _ in limits]
    y_axis = latency_axis(seconds)
    for name, bound_s, verdict in limits:
        told = f"{name}, {verdict} in the newest run"
        across = [Point(0.0, log_s(bound_s), told), Point(last, log_s(bound_s), told)]
        layers.append(Layer(f"bound bound-{verdict}", across))
        layers.append(Layer("bound-name", [Point(0.0, log_s(bound_s), told, name)], dots=True, line=False))
    places = {entry.run: place for place, entry in enumerate(shown)}
    for change in track.changes:
        if change.run in places:
            begin = places[change.run] - 0.5
            told = f"{change.quantile} {change.verdict} since {when(change.at)}"
            ends = [Point(begin, y_axis[0].value, told), Point(begin, y_axis[-1].value, told)]
            layers.append(Layer("stage-mark", ends, dots=True))
    return draw("Latency, run by run", [*edges, *layers], _run_axis(shown, shape), y_axis, shape)


def _limits(track: Track) -> Iterator[tuple[str, float, str]]:
    """The SLOs, and the claims that were asked for, of the newest run that counts: name, bound in seconds, verdict."""
    newest = next((entry for entry in reversed(track.entries) if _stands(entry)), None)
    for budget in track.budgets:
        for bound in newest.bounds if newest else ():
            if (bound.kind, bound.id) == (budget.kind, budget.id) and budget.quantile >= 0.5:
                yield budget.id, budget.bound_s, bound.verdict


def _run_axis(shown: Sequence[Entry], shape: Shape) -> list[Tick]:
    """The days of evenly spaced runs."""
    step = max(1, round(round_step(max(1.0, (len(shown) - 1) / shape.ticks))))
    return [Tick(place, when(shown[place].started_at)[5:10]) for place in range(0, len(shown), step)]
