"""Line charts as SVG that belongs to the page around it, drawn by pygal.

pygal computes scales, axes and paths. Its style sheet, its scripts, its link to a script on the web and its
random ids are left out: the page's own style sheet colours the classes given here, light and dark, and each
value to hover over is an SVG `<title>`, which needs no script.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, tostring

from testcard.reports.printable import one_line

_DECIMALS = re.compile(r"(\d+\.\d)\d+")
_WITHOUT_PURPOSE = ("comment", "defs", "desc", "title")  # the page says these things itself
_KEPT_ATTRIBUTES = frozenset({"class", "cx", "cy", "d", "height", "r", "transform", "width", "x", "y"})
_SERIES = re.compile(r"serie-(\d+)")


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a drawing in its own units, in which text is 11 high."""

    width: int
    height: int
    ticks: int
    """Labels that fit under the x axis."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point in the units of the axes, what it says when hovered over, and a label beside it."""

    x: float
    y: float
    told: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """One series: a line, its area, or its points, under a class that the page's style sheet knows."""

    name: str
    points: Sequence[Point]
    dots: bool = False
    line: bool = True
    fill: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and its label."""

    value: float
    label: str


def draw(title: str, layers: Sequence[Layer], x_axis: Sequence[Tick], y_axis: Sequence[Tick], shape: Shape) -> str:
    """An `<svg>` element for use inside HTML; layers without points are left out."""
    chart = _empty_chart(
        width=shape.width, height=shape.height, margin=8, spacing=6, dots_size=3,
        show_legend=False, print_labels=True, truncate_label=-1, show_x_guides=True,
        js=[], css=[], no_prefix=True,
        x_labels=[{"value": tick.value, "label": tick.label} for tick in x_axis],
        y_labels=[{"value": tick.value, "label": tick.label} for tick in y_axis],
    )  # fmt: skip
    drawn = [layer for layer in layers if layer.points]
    for layer in drawn:
        values: list[Any] = [
            {"value": (point.x, point.y), "label": one_line(point.label, 80), "tooltip": one_line(point.told, 300)}
            for point in layer.points
        ]
        chart.add(layer.name, values, show_dots=layer.dots, stroke=layer.line, fill=layer.fill)
    root = Element(
        "svg",
        {"class": "chart", "viewBox": f"0 0 {shape.width} {shape.height}", "role": "img", "aria-label": title},
    )
    root.extend(_adopted(chart.render_tree(), [layer.name for layer in drawn]))
    return tostring(root, encoding="unicode")


def _empty_chart(**options: Any) -> Any:
    """An XY chart of pygal's, which is imported when the first chart is drawn."""
    import pygal
    from pygal.style import Style

    # It leaves a finder for map plugins behind, of a kind that Python 3.12 ignores and 3.11 warns about
    # at every import that fails.
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]
    # pygal reckons margins with the sizes of letters; colours are the page's.
    return pygal.XY(style=Style(label_font_size=11, value_font_size=8), **options)


def _adopted(node: Any, names: Sequence[str]) -> Iterator[Element]:
    """Copies of what the page needs of the children of one of pygal's nodes.

    The node is of xml.etree or of lxml, whichever pygal found installed.
    """
    for child in node:
        tag = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else "comment"
        name = child.get("class", "")
        if tag in _WITHOUT_PURPOSE or "tooltip" in name.split():
            continue
        if name == "dots":
            yield _dot(child)
            continue
        copy = Element(
            tag, {key: _short(value) for key, value in child.attrib.items() if key in _KEPT_ATTRIBUTES and value}
        )
        copy.text = child.text
        copy.extend(_adopted(child, names))
        series = _SERIES.search(name)
        if series is not None:
            copy.set("class", f"series {names[int(series[1])]}")
        if tag != "g" or len(copy):
            yield copy


def _dot(group: Any) -> Element:
    """A circle with its title inside, instead of pygal's group of five elements a point."""
    parts = {child.tag.rpartition("}")[2]: child for child in group if child.get("class") != "label"}
    circle = Element("circle", {key: _short(parts["circle"].get(key)) for key in ("cx", "cy", "r")})
    if "title" in parts and parts["title"].text:
        title = Element("title")
        title.text = parts["title"].text
        circle.append(title)
    return circle


def _short(attribute: str) -> str:
    """Coordinates to a tenth of a unit; pygal writes twelve more digits."""
    return _DECIMALS.sub(r"\1", attribute)
