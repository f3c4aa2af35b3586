"""history.md: fit for a pull request and a CI step summary, like summary.md and by its rules."""

from __future__ import annotations

from collections.abc import Iterator

from testcard.reports.history import words
from testcard.reports.history.record import History, Track
from testcard.reports.markdown import code, fitting, plain, table_of
from testcard.reports.table import Table

_MOST_RUNS = 20
_MARKS = {"kept": "✅", "inconclusive": "⚠️", "broken": "❌"}
_MOST_LEFT_OUT = 20


def markdown(history: History) -> str:
    """The history as GitHub-flavoured Markdown."""
    return fitting(_blocks(history), "`history.html` or `history.json`")


def _blocks(history: History) -> Iterator[str]:
    word, told = words.headline(history)
    yield f"## {_MARKS[words.tone(history)]} {word}: {plain(told)}"
    for track in history.tracks:
        yield from _track(track, history.window_s)
    if history.left_out:
        lines = [f"- {code(found.reason)}" for found in history.left_out[:_MOST_LEFT_OUT]]
        more = len(history.left_out) - len(lines)
        yield "#### Left out\n\n" + "\n".join([*lines, *([f"- and {more} more"] if more > 0 else [])])


def _track(track: Track, window_s: float) -> Iterator[str]:
    yield f"### {plain(words.title(track))}\n\n{code(words.target(track))}"
    said = [f"- ❌ {plain(told)}" for told in track.regressions]
    said += [f"- {sign} {plain(told)}" for sign, told in words.levels(track)]
    broken = words.still_broken(track)
    said += [f"- broken now: {', '.join(code(name) for name in broken)}"] if broken else []
    if said:
        yield "\n".join(said)
    if track.budgets:
        yield _table(words.budgets(track, window_s))
    yield _table(words.runs(track, most=_MOST_RUNS, newest_first=True))
    if track.notes:
        yield "\n".join(f"- {plain(note)}" for note in track.notes)


def _table(table: Table) -> str:
    note = f" ({table.note})" if table.note else ""
    rows = ([plain(cell) for cell in row] for row in table.rows)
    return f"#### {table.title}{plain(note)}\n\n{table_of(map(plain, table.head), rows)}"
