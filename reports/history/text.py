"""The history as a person reads it in a terminal: each track with its newest runs, the verdict last."""

from __future__ import annotations

from testcard.reports.history import words
from testcard.reports.history.record import History, Track
from testcard.reports.paper import COLOURS, Paper
from testcard.reports.printable import one_line, printable

_MOST_RUNS = 12
_MOST_LEFT_OUT = 10


def text(history: History, *, colour: bool, width: int) -> str:
    """The history.

    Args:
        colour: with ANSI colours; otherwise plain text. The environment is not asked.
        width: columns of the terminal.
    """
    paper = Paper(width, colour=colour)
    above = ""
    for track in history.tracks:
        line = words.target(track)
        if line != above:
            paper.item("", printable(line), gap=0)
        above = line
        _track(paper, track, history.window_s)
    for found in history.left_out[:_MOST_LEFT_OUT]:
        paper.item("·", f"left out: {one_line(found.reason)}")
    if len(history.left_out) > _MOST_LEFT_OUT:
        paper.item("·", f"and {len(history.left_out) - _MOST_LEFT_OUT} more: --json has them all")
    if history.left_out:
        paper.blank()
    word, told = words.headline(history)
    paper.item(word, one_line(told), style=COLOURS[words.tone(history)], gap=2)
    return paper.text()


def _track(paper: Paper, track: Track, window_s: float) -> None:
    paper.blank()
    paper.item("", printable(words.title(track)), indent=2, gap=0)
    table = words.runs(track, most=_MOST_RUNS)
    if table.note:
        paper.item("", f"{table.note} runs", indent=4, gap=0)
    paper.rows([table.head, *table.rows], indent=4)
    for sign, told in words.levels(track):
        paper.item(sign, told, indent=4)
    if track.budgets:
        paper.table(words.budgets(track, window_s), indent=4)
    broken = words.still_broken(track)
    if broken:
        paper.item("✗", f"broken now: {one_line(', '.join(broken))}", style=COLOURS["broken"], indent=4)
    for told in track.regressions:
        paper.item("✗", f"new: {one_line(told)}", style=COLOURS["broken"], indent=4)
    if command := words.advice(track):
        paper.whole(f"      try  {printable(command)}")
    for told in track.notes:
        paper.item("·", one_line(told), indent=4)
    paper.blank()
