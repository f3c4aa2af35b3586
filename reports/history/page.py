"""history.html: one file that opens offline, made by the rules of report.html (reports/page.py)."""

from __future__ import annotations

from typing import Any

from testcard.reports.history import words
from testcard.reports.history.chart import figures
from testcard.reports.history.record import History
from testcard.reports.printable import one_line, printable
from testcard.reports.shell import furniture, ours, template

MOST_BYTES = 1_900_000
_MOST_RUNS = (200, 30, 5)
"""Rows of each track: those that are wanted, and fewer where the page gets too large."""


def page(history: History) -> str:
    """The page."""
    drawn = [
        [(figure, ours(figure.wide), ours(figure.narrow)) for figure in figures(track, number)]
        for number, track in enumerate(history.tracks)
    ]
    word, told = words.headline(history)
    names: dict[str, Any] = {
        "history": history, "figures": drawn, "w": words, "word": word, "told": told,
        "printable": printable, "one_line": one_line, **furniture(),
    }  # fmt: skip
    text = ""
    for most in _MOST_RUNS:
        text = template("history.html").render(names, most=most)
        if len(text.encode()) <= MOST_BYTES:
            break
    return text
