"""The figures of the page: each chart drawn for two widths, with its caption and its legend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from testcard.core.limitlab import LimitSummary
from testcard.core.outcome import LOAD_OUTCOMES
from testcard.core.summary import LoadSummary
from testcard.reports.chart import (
    NARROW,
    WIDE,
    Marks,
    age_over_time,
    latency_over_time,
    outcomes_over_time,
    percentile_curve,
)
from testcard.reports.drawing import Shape
from testcard.reports.limits import promised_and_true, timeline
from testcard.reports.overview import bounds, demand
from testcard.reports.series import LoadSeries

CURVES = {
    "latency_s": "latency: planned to last byte, over the answers with a 2xx",
    "every_s": "latency over every arrival, one without a valid answer infinitely late: so SLOs count",
    "media_s": "with pictures: planned to the last byte of the last picture that the answer named by URL",
    "every_media_s": "with pictures, over every arrival in the same way: so claims count",
}
"""What the lines of the percentile curve are."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One chart with what stands around it."""

    id: str
    title: str
    caption: str
    legend: tuple[tuple[str, str], ...]
    """(class of the style sheet, text)"""
    wide: str
    """An `<svg>` element, ready to be put into HTML."""
    narrow: str


def figures(load: LoadSummary, series: LoadSeries) -> Iterator[Figure]:
    """The charts of a load run; those without data are left out."""
    if load.limit is not None:
        yield from _limit(load.limit)
        return  # what else could be drawn is of requests that came when they told most, not of a load
    marks = tuple((stage.begins_s, stage.name) for stage in load.stages) if len(load.stages) > 1 else ()
    if ages := series.ages():
        yield _ages(ages)
    if series.curves():
        yield _percentiles(load, series)
        yield _latency(load, series, marks)
    if len(series):
        yield _outcomes(load, series, marks)


_PARTS = " Where a bound names a stage, circle and bar are that stage's; the curves are the whole load's."
_LOOPS = {
    "open": "",
    "closed": " Measured in a closed loop: a slow server was asked less.",
    "crowd": " Single requests of clients who ask again, not what each client lived through.",
    "replace": " Only prompts that no other replaced in time were answered.",
}
"""What a caption adds, by the loop that the figures were measured in."""


def _ages(ages: Sequence[tuple[float, float]]) -> Figure:
    return _drawn(
        "Age of the picture on the screen",
        "From the moment at which its prompt was typed: it rises while nothing newer comes, and falls with a picture.",
        (("line-age", "age"),),
        lambda shape: age_over_time(ages, shape),
    )


def _limit(limit: LimitSummary) -> Iterator[Figure]:
    if limit.timeline:
        yield _drawn(
            "Admissions and refusals",
            "Each request that passed is one step up. A refusal stands on the level that was reached; the line from it "
            "ends at the moment that its Retry-After promised.",
            (("mark-passed", "passed"), ("mark-refused", "refused"), ("line-promise", "promised")),
            lambda shape: timeline(limit, shape),
        )
    if limit.promises:
        yield _drawn(
            "Promised and true waits",
            "Upwards what each refusal promised, to the right the wait until the identified limiter would have "
            "admitted a request. Below the line a client that obeys comes too early, above it waits for nothing.",
            (("mark-promise", "refusals"), ("line-exact", "exact")),
            lambda shape: promised_and_true(limit, shape),
        )


def _percentiles(load: LoadSummary, series: LoadSeries) -> Figure:
    curves = series.curves()
    shown = [
        bound for bound in bounds(load) if bound.size in (None, load.size) and bound.samples_of == "arrivals"
    ]  # others bound other pictures
    lines = tuple((f"span-{name}", CURVES[name]) for name in curves)
    demands = tuple(
        (f"bound bound-{bound.verdict}", f"{bound.id}: {demand(bound)}, {bound.verdict}") for bound in shown
    )
    return _drawn(
        "Latency by percentile",
        "Each nine to the right is ten times rarer. Lines across are the bounds of claims and SLOs; the circle on one "
        "is its percentile, the upright bar there what that percentile can be at the stated confidence."
        + (_PARTS if any(bound.stage for bound in shown) else "")
        + _LOOPS[load.loop],
        lines + demands,
        lambda shape: percentile_curve(curves, shown, shape),
    )


def _latency(load: LoadSummary, series: LoadSeries, marks: Marks) -> Figure:
    points, bins, answers = series.points(), series.bins(), series.curves()["latency_s"].samples
    caption = "Answers with a 2xx, by the moment for which each was planned."
    if len(points) < answers:
        caption += f" {len(points):,} of {answers:,} are drawn, the slowest of each moment among them."
    caption += _LOOPS[load.loop]
    return _drawn(
        "Latency over time",
        caption,
        (("point", "single answers"), ("line-p50", "p50"), ("line-p95", "p95")),
        lambda shape: latency_over_time(points, bins, shape, marks),
    )


def _outcomes(load: LoadSummary, series: LoadSeries, marks: Marks) -> Figure:
    bins = series.bins()
    names = [name for name in LOAD_OUTCOMES if any(name in b.outcomes for b in bins)]
    return _drawn(
        "Outcomes over time",
        "Arrivals per second by how they ended. Offered is what was planned for a moment, achieved what was "
        "completely answered in it." + _LOOPS[load.loop],
        (
            *((f"outcome outcome-{name}", name) for name in names),
            ("line-offered", "offered"),
            ("line-achieved", "achieved"),
        ),
        lambda shape: outcomes_over_time(bins, shape, marks),
    )


def _drawn(title: str, caption: str, legend: tuple[tuple[str, str], ...], draw: Callable[[Shape], str]) -> Figure:
    return Figure(title.lower().replace(" ", "-"), title, caption, legend, draw(WIDE), draw(NARROW))
