"""Lines for a terminal: a label with a text that wraps under itself, and tables of such lines."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from testcard.reports.printable import printable
from testcard.reports.table import Table

_NARROWEST = 44  # the widest label and the shortest text beside it
_SHORTEST = 20  # text beside a label
COLOURS = {
    "kept": "bold green", "broken": "bold red", "refuted": "bold red", "inconclusive": "bold yellow",
    "not-judged": "bold red", "interrupted": "bold yellow", "error": "bold magenta",
}  # fmt: skip


def _least(rows: Sequence[tuple[str, ...]]) -> int:
    """Columns that rows take at least: the last of a row wraps, down to _SHORTEST."""
    widths = [max(len(printable(row[column])) for row in rows) for column in range(len(rows[0]))]
    return sum(widths[:-1]) + 2 * len(widths[:-1]) + min(widths[-1], _SHORTEST)


def _lines(figures: Sequence[str], room: int) -> Iterator[str]:
    """As many figures a line as fit; a name is not torn from its figure."""
    line = ""
    for figure in figures:
        if line and len(line) + 2 + len(figure) > room:
            yield line
            line = figure
        else:
            line = f"{line}  {figure}" if line else figure
    yield line


class Paper:
    """What is printed, line by line.

    Args:
        width: columns of the terminal.
        colour: with ANSI colours; otherwise plain text. The environment is not asked.
    """

    def __init__(self, width: int, *, colour: bool) -> None:
        from rich.console import Console  # imported here: it costs start-up time that `--help` need not pay

        self._sink = io.StringIO()
        self._console = Console(
            file=self._sink, width=max(width, _NARROWEST), force_terminal=colour, no_color=not colour,
            color_system="standard" if colour else None, legacy_windows=False,
            markup=False, highlight=False, emoji=False, _environ={},
        )  # fmt: skip

    def text(self) -> str:
        """All of it, no line with space at its end."""
        return "\n".join(line.rstrip() for line in self._sink.getvalue().splitlines()) + "\n"

    def blank(self) -> None:
        self._console.print()

    def item(self, label: str, text: str, *, style: str = "", indent: int = 0, gap: int = 1) -> None:
        from rich.text import Text

        hang = " " * (indent + len(label) + gap)
        room = max(_SHORTEST, self._console.width - len(hang))
        lines = Text(text).wrap(self._console, room) or [Text("")]
        for number, line in enumerate(lines):
            start = Text(" " * indent).append(label, style).append(" " * gap) if number == 0 else Text(hang)
            self._console.print(start.append_text(line), soft_wrap=True)

    def whole(self, text: str, style: str = "") -> None:
        """One line that is never broken, so that it can be copied."""
        self._console.print(text, style=style or None, soft_wrap=True)

    def table(self, table: Table, *, indent: int) -> None:
        """One line a row; the last column takes what is left of the line."""
        note = f"   ({table.note})" if table.note else ""
        self.item("", f"{table.title.lower()}{note}", indent=indent, gap=0)
        rows = [table.head, *table.rows] if any(table.head[:1]) else table.rows
        if any(table.head[:1]) and indent + 2 + _least(rows) > self._console.width:
            self._named(table, indent=indent + 2)
        else:
            self.rows(rows, indent=indent + 2)

    def _named(self, table: Table, *, indent: int) -> None:
        """A table that is wider than the terminal: each figure behind the name of its column."""
        width = max(len(printable(row[0])) for row in table.rows)
        room = self._console.width - indent - width - 2
        for first, *cells in table.rows:
            figures = [f"{name} {printable(cell)}".strip() for name, cell in zip(table.head[1:], cells, strict=True)]
            for number, line in enumerate(_lines(figures, room)):
                self.item(f"{printable(first) if number == 0 else '':<{width}}", line, indent=indent, gap=2)

    def rows(self, rows: Sequence[tuple[str, ...]], *, indent: int) -> None:
        """Rows in columns as wide as they need to be."""
        if not rows:
            return
        widths = [max(len(printable(row[column])) for row in rows) for column in range(len(rows[0]) - 1)]
        for row in rows:
            cells = [f"{printable(cell):<{width}}" for cell, width in zip(row, widths, strict=False)]
            self.item("  ".join(cells), printable(row[-1]), indent=indent, gap=2)
