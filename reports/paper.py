"""Lines for a terminal: a label with a text that wraps under itself, and tables of such lines."""

from __future__ import annotations

import io
from collections.abc import Sequence

from testcard.reports.printable import printable
from testcard.reports.table import Table

_NARROWEST = 44  # the widest label and the shortest text beside it
COLOURS = {
    "kept": "bold green", "broken": "bold red", "refuted": "bold red", "inconclusive": "bold yellow",
    "not-judged": "bold red", "interrupted": "bold yellow", "error": "bold magenta",
}  # fmt: skip


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
        room = max(20, self._console.width - len(hang))
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
        self.rows([table.head, *table.rows] if any(table.head[:1]) else table.rows, indent=indent + 2)

    def rows(self, rows: Sequence[tuple[str, ...]], *, indent: int) -> None:
        """Rows in columns as wide as they need to be."""
        if not rows:
            return
        widths = [max(len(printable(row[column])) for row in rows) for column in range(len(rows[0]) - 1)]
        for row in rows:
            cells = [f"{printable(cell):<{width}}" for cell, width in zip(row, widths, strict=False)]
            self.item("  ".join(cells), printable(row[-1]), indent=indent, gap=2)
