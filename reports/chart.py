"""The three charts of the report: latency by percentile, latency over time, outcomes over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from testcard.core.outcome import LOAD_OUTCOMES
from testcard.core.quantity import human_s
from testcard.core.summary import Bound
from testcard.reports.drawing import Layer, Point, Shape, Tick, draw
from testcard.reports.overview import demand, quantile_name
from testcard.reports.series import Bin, Curve

WIDE = Shape(960, 380, 11)
NARROW = Shape(400, 320, 5)
"""For a phone, where the wide one's text would be too small to read."""
_MARKS = (0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999)
_SHORTEST_S = 1e-3  # where a logarithmic axis begins at the latest
_MOST_TICKS = 9


def percentile_curve(curves: Mapping[str, Curve], bounds: Iterable[Bound], shape: Shape) -> str:
    """Latency by percentile on the scale 1/(1 - q), where every nine has the same width; with the claims and
    SLOs as lines at their bounds, and the confidence intervals of their quantiles.
    """
    last = max((_nines(curve.points[-1][0]) for curve in curves.values()), default=0.0) or 1.0
    layers = []
    for name, curve in curves.items():
        told = [Point(_nines(q), log_s(s), f"{quantile_name(round(q, 6))}: {human_s(s)}") for q, s in curve.points]
        layers.append(Layer(f"span-{name}", told, dots=True))
    seconds = [s for curve in curves.values() for _, s in curve.points]
    for number, bound in enumerate(sorted(bounds, key=lambda bound: bound.bound_s)):
        layers += _bound(bound, last, shift=last * 0.32 * (number % 3))
        seconds += [s for s in (bound.bound_s, bound.lower_s, bound.upper_s) if s is not None]
    marks = [Tick(_nines(q), quantile_name(q)) for q in _MARKS if _nines(q) <= last + 1e-9]
    if shape.ticks < len(marks):
        marks = [mark for mark in marks if mark.label not in ("p95", "p99.99")]
    return draw("Latency by percentile", layers, marks, latency_axis(seconds), shape)


def _bound(bound: Bound, last: float, shift: float) -> Iterable[Layer]:
    told = f"{bound.id}: {demand(bound)}, {bound.verdict}"
    at, height = min(_nines(bound.quantile), last), log_s(bound.bound_s)
    kind = f"bound bound-{bound.verdict}"
    yield Layer(kind, [Point(0.0, height, told), Point(last, height, told)])
    # Names of bounds that lie close together would cover each other; so they start at different places.
    yield Layer("bound-name", [Point(shift, height, told, bound.id)], dots=True, line=False)
    yield Layer(f"{kind} bound-mark", [Point(at, height, told)], dots=True, line=False)
    if bound.lower_s is not None and bound.upper_s is not None:
        told = f"{quantile_name(bound.quantile)} is between {human_s(bound.lower_s)} and {human_s(bound.upper_s)}"
        ends = [Point(at, log_s(s), told) for s in (bound.lower_s, bound.upper_s)]
        yield Layer("interval", ends, dots=True)


Marks = Sequence[tuple[float, str]]
"""Where stages begin, in seconds, and their names."""


def age_over_time(ages: Sequence[tuple[float, float]], shape: Shape) -> str:
    """The age of the picture on the screen by the moment."""
    line = [Point(t, s, f"{human_s(s)} old at {t:.4g} s") for t, s in ages]
    most = max((s for _, s in ages), default=1.0)
    step = round_step(most / 5)
    y_axis = [Tick(step * number, human_s(step * number)) for number in range(math.ceil(most / step - 1e-9) + 1)]
    end = ages[-1][0] if ages else 1.0
    return draw(
        "Age of the picture on the screen", [Layer("line-age", line, dots=True)], time_ticks(end, shape), y_axis, shape
    )


def _stage_marks(marks: Marks, y_axis: Sequence[Tick]) -> Iterable[Layer]:
    low, high = y_axis[0].value, y_axis[-1].value
    for second, name in marks:
        told = f"{name} begins"
        if second > 0:
            yield Layer("stage-mark", [Point(second, low, told), Point(second, high, told)])
        yield Layer("bound-name", [Point(second, high, told, name)], dots=True, line=False)


def latency_over_time(
    points: Sequence[tuple[float, float]], bins: Sequence[Bin], shape: Shape, marks: Marks = ()
) -> str:
    """Latency by the moment for which the arrival was planned: single answers, p50 and p95 of each stretch."""
    dots = [Point(t, log_s(s), f"{human_s(s)} at {t:.4g} s") for t, s in (points if shape is WIDE else points[::2])]
    layers = [Layer("point", dots, dots=True, line=False)]
    seconds = [s for _, s in points]
    for name in ("p50", "p95"):
        values = [(b, getattr(b, f"{name}_s")) for b in bins]
        line = [Point(_middle(b), log_s(s), f"{name} {human_s(s)}, {_stretch(b)}") for b, s in values if s is not None]
        layers.append(Layer(f"line-{name}", line, dots=True))
        seconds += [s for _, s in values if s is not None]
    y_axis = latency_axis(seconds)
    layers += _stage_marks(marks, y_axis)
    return draw("Latency over time", layers, _time_axis(bins, shape), y_axis, shape)


def outcomes_over_time(bins: Sequence[Bin], shape: Shape, marks: Marks = ()) -> str:
    """Outcomes per second as stacked steps, with the offered and the achieved rate as lines."""
    names = [name for name in LOAD_OUTCOMES if any(name in b.outcomes for b in bins)]
    layers = []
    for depth in range(len(names), 0, -1):  # the whole stack first; each lower part is painted over it
        steps = []
        for b in bins:
            height = sum(b.outcomes.get(name, 0) for name in names[:depth]) / b.width_s
            steps += [Point(b.start_s, height), Point(b.start_s + b.width_s, height)]
        layers.append(Layer(f"outcome outcome-{names[depth - 1]}", steps, fill=True))
    for name in ("offered", "achieved"):
        rates = ((b, getattr(b, f"{name}_per_s")) for b in bins)
        line = [Point(_middle(b), rate, f"{name} {rate:.3g}/s, {_stretch(b)}: {_parts(b)}") for b, rate in rates]
        layers.append(Layer(f"line-{name}", line, dots=True))
    most = max((max(b.offered_per_s, b.achieved_per_s) for b in bins), default=1.0)
    y_axis = _rate_axis(most)
    layers += _stage_marks(marks, y_axis)
    return draw("Outcomes over time", layers, _time_axis(bins, shape), y_axis, shape)


def _nines(quantile: float) -> float:
    return -math.log10(1 - quantile)


def log_s(seconds: float) -> float:
    return math.log10(max(seconds, _SHORTEST_S))


def _middle(b: Bin) -> float:
    return b.start_s + b.width_s / 2


def _stretch(b: Bin) -> str:
    return f"{b.start_s:.4g} to {b.start_s + b.width_s:.4g} s"


def _parts(b: Bin) -> str:
    return ", ".join(f"{number} {name}" for name, number in b.outcomes.items())


def latency_axis(seconds: Sequence[float]) -> list[Tick]:
    """1-2-5 steps from below the fastest to above the slowest; decades alone where those are too many."""
    low = max(min(seconds, default=0.1), _SHORTEST_S)
    high = max(max(seconds, default=1.0), low)
    every = [step * 10.0**decade for decade in range(-4, 7) for step in (1, 2, 5)]
    first = max(tick for tick in every if tick <= low * 1.0001)
    last = min((tick for tick in every if tick >= high * 0.9999 and tick > first), default=high)
    ticks = [tick for tick in every if first <= tick <= last]
    if len(ticks) > _MOST_TICKS:
        ticks = [first, *(10.0**decade for decade in range(-3, 7) if first < 10.0**decade < last), last]
    return [Tick(math.log10(tick), human_s(tick)) for tick in ticks]


def _rate_axis(most: float) -> list[Tick]:
    step = round_step(most / 5)
    return [Tick(step * number, f"{step * number:.4g}/s") for number in range(math.ceil(most / step - 1e-9) + 1)]


def _time_axis(bins: Sequence[Bin], shape: Shape) -> list[Tick]:
    return time_ticks(bins[-1].start_s + bins[-1].width_s if bins else 1.0, shape)


def time_ticks(end: float, shape: Shape) -> list[Tick]:
    """Labels of an axis of seconds."""
    step = round_step(end / shape.ticks)
    return [Tick(step * number, f"{step * number:.6g} s") for number in range(math.floor(end / step + 1e-9) + 1)]


def round_step(least: float) -> float:
    """The first of 1, 2, 5, 10, … that is not less."""
    decade = 10.0 ** math.floor(math.log10(max(least, 1e-6)))
    return next(step * decade for step in (1, 2, 5, 10) if step * decade >= least * 0.9999)
