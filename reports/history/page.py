"""history.html: one file that opens offline, made by the rules of report.html (reports/page.py)."""

from __future__ import annotations

from typing import Any

from testcard.reports.history import words
from testcard.reports.history.chart import figures
from testcard.reports.history.record import History
from testcard.reports.printable import one_line, printable
from testcard.reports.shell import furniture, ours, template

MOST_BYTES = 1_900_000
_MOST_RUNS = (200, 60, 20, 4)
"""Of each track: those that are wanted, and fewer where the page gets too large."""


def page(history: History) -> str:
    """The page."""
    word, told = words.headline(history)
    names: dict[str, Any] = {
        "history": history, "w": words, "word": word, "told": told,
        "printable": printable, "one_line": one_line, **furniture(),
    }  # fmt: skip
    text = ""
    for most in _MOST_RUNS:
        drawn = [
            [(figure, ours(figure.wide), ours(figure.narrow)) for figure in figures(track, number, most)]
            for number, track in enumerate(history.tracks)
        ]
        text = template("history.html").render(names, figures=drawn, most=most)
        if len(text.encode()) <= MOST_BYTES:
            break
    return text
