"""The geometry of the charts: what is drawn is what was measured."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

import sample_run
from testcard.core.summary import LoadSummary
from testcard.reports.chart import NARROW, WIDE, latency_over_time, outcomes_over_time, percentile_curve
from testcard.reports.figure import figures
from testcard.reports.series import Bin, Curve, LoadSeries

BINS = (
    Bin(0.0, 10.0, 8.0, 8.0, {"valid": 60, "limited": 20}, 0.1, 0.2, 0.3),
    Bin(10.0, 10.0, 4.0, 2.0, {"valid": 10, "server-error": 30}, 0.1, 0.2, 0.3),
)
_NUMBER = re.compile(r"-?\d+\.?\d*")


def svg(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 (our own document)


def path(root: ElementTree.Element, name: str) -> list[tuple[float, float]]:
    """The corners of the line of the series with that class."""
    group = next(
        group for group in root.iter("g") if f" {name}" in group.get("class", "") and group.find("path") is not None
    )
    numbers = [float(number) for number in _NUMBER.findall(group[0].get("d", ""))]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def ticks(root: ElementTree.Element, axis: str) -> dict[str, float]:
    """Where the labels of an axis stand."""
    group = next(group for group in root.iter("g") if group.get("class", "").startswith(f"axis {axis}"))
    return {text.text or "": float(text.get(axis, "")) for text in group.iter("text")}


def test_outcomes_are_stacked_to_what_was_offered() -> None:
    """Each area reaches as high as its outcome and those below it; the whole stack is the offered rate."""
    root = svg(outcomes_over_time(BINS, WIDE))
    zero, unit = ticks(root, "y")["0/s"], (ticks(root, "y")["0/s"] - ticks(root, "y")["8/s"]) / 8

    def heights(name: str) -> list[float]:
        drawn = [(zero - y - 3.85) / unit for _, y in path(root, name)]  # labels stand 3.85 below their lines
        return [round(height, 1) for height in drawn]

    assert heights("outcome-valid")[1:5] == [6.0, 6.0, 1.0, 1.0]
    assert heights("outcome-limited")[1:5] == [8.0, 8.0, 1.0, 1.0]
    assert heights("outcome-server-error")[1:5] == [8.0, 8.0, 4.0, 4.0]
    assert heights("line-offered") == [8.0, 4.0]
    assert heights("line-achieved") == [8.0, 2.0]


@pytest.mark.parametrize("shape", [WIDE, NARROW])
def test_every_nine_has_the_same_width(shape: object) -> None:
    """p90, p99 and p99.9 are equally far apart, and the curve ends at its slowest sample."""
    curve = Curve(5000, tuple((1 - 10 ** -(n / 10), 0.1 * 2 ** (n / 10)) for n in range(37)))
    root = svg(percentile_curve({"latency_s": curve}, (), WIDE if shape is WIDE else NARROW))
    places = ticks(root, "x")
    assert places["p99"] - places["p90"] == pytest.approx(places["p99.9"] - places["p99"], abs=0.2)
    assert places["p90"] - places["p0"] == pytest.approx(places["p99"] - places["p90"], abs=0.2)
    line = path(root, "span-latency_s")
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert line[10][0] == pytest.approx(places["p90"], abs=0.2)
    assert line[10][1] < line[0][1]  # slower is higher up


def test_a_bound_is_drawn_at_its_height_and_quantile() -> None:
    """The line of a 1 s bound on p95 lies at 1 s, its circle at p95, its interval between its confidence bounds."""
    bound = replace(sample_run.load_summary().claims[0], lower_s=0.5, upper_s=2.0)
    curve = Curve(2000, ((0.0, 0.05), (0.5, 0.1), (0.95, 1.0), (0.999, 4.0)))
    root = svg(percentile_curve({"latency_s": curve}, [bound], WIDE))
    across, interval = path(root, "bound-kept"), path(root, "interval")
    assert across[0][1] == across[1][1] == pytest.approx(ticks(root, "y")["1 s"] - 3.85, abs=0.2)
    assert [x for x, _ in interval] == pytest.approx([ticks(root, "x")["p95"]] * 2, abs=0.2)
    low, high = (ticks(root, "y")[label] - 3.85 for label in ("500 ms", "2 s"))
    assert [y for _, y in interval] == pytest.approx([low, high], abs=0.2)


def test_latency_over_time_has_time_along_and_latency_up() -> None:
    """p50 lies below p95, each stretch at its middle."""
    root = svg(latency_over_time([(0.0, 0.05), (20.0, 0.5)], BINS, WIDE))
    lower, upper = path(root, "line-p50"), path(root, "line-p95")
    assert all(y > higher for (_, y), (_, higher) in zip(lower, upper, strict=True))
    middle = (ticks(root, "x")["4 s"] + ticks(root, "x")["6 s"]) / 2
    assert lower[0][0] == pytest.approx(middle, abs=0.2)


@pytest.mark.parametrize("slowest", [0.0001, 0.004, 0.3, 59.0, 4000.0])
def test_the_axes_cover_what_is_drawn_with_few_labels(slowest: float) -> None:
    """From a millisecond to an hour the axis has 2 to 10 labels, all different, around all values."""
    bins = [replace(b, p50_s=slowest / 2, p95_s=slowest) for b in BINS]
    root = svg(latency_over_time([(0.0, 0.00005), (20.0, slowest)], bins, WIDE))
    labels = ticks(root, "y")
    assert 2 <= len(labels) <= 10
    inside = [float(circle.get("cy", "")) for circle in root.iter("circle")]
    assert min(labels.values()) - 4 <= min(inside)
    assert max(inside) <= max(labels.values()) - 3


def test_drawing_leaves_no_hook_behind() -> None:
    """pygal's import hook, which makes Python 3.11 warn at every import that fails, is taken out again."""
    outcomes_over_time(BINS, WIDE)
    assert "pygal" in sys.modules
    assert not [finder for finder in sys.meta_path if type(finder).__module__ == "pygal"]


def test_a_claim_about_another_size_is_not_drawn() -> None:
    """A bound on 512x512 pictures says nothing about a run of 1024x1024 ones, so the curve leaves it out."""
    load: LoadSummary = sample_run.load_summary()
    other = replace(load.claims[0], id="real-time-previews", size="512x512")
    series = LoadSeries()
    for record in sample_run.load_records(300):
        series.add(record)
    drawn = next(iter(figures(replace(load, claims=(*load.claims, other)), series)))
    assert "interactive" in drawn.wide
    assert "real-time-previews" not in drawn.wide + str(drawn.legend)
