"""What a person sees while a run goes on: one line of progress on a terminal, plain lines elsewhere.

Everything here goes to standard error where --json keeps standard output for the summary.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PLAIN_EVERY_S = 10.0


class Console:
    """Prints lines, and the progress of the phase under way."""

    def __init__(self, *, as_json: bool) -> None:
        self._stream = sys.stderr if as_json else sys.stdout
        self.live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = self.live and not os.environ.get("NO_COLOR")
        self.width = shutil.get_terminal_size((100, 24)).columns

    def line(self, text: str = "") -> None:
        """Print one line, or several."""
        print(text, file=self._stream, flush=True)

    def head(self, text: str) -> None:
        """Print one line, broken between words where a terminal is narrower; elsewhere it stays one line."""
        if self.live and len(text) > self.width:
            text = textwrap.fill(
                text, max(self.width, 40), subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False
            )
        self.line(text)

    def phase(self, name: str) -> Phase:
        """A phase whose progress is shown."""
        return Phase(self, name)

    def progress(self) -> Progress:
        """A live display."""
        from rich.console import Console as Terminal
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        return Progress(
            TextColumn("{task.description:<7}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=Terminal(file=self._stream, no_color=not self.colour),
            transient=True,
        )


class Phase:
    """The progress of one phase; a context manager."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._name = name
        self._live: Progress | None = None
        self._task: TaskID | None = None
        self._said = time.monotonic()

    def update(self, done: int, total: int, note: str = "") -> None:
        """Show how far it is."""
        total = max(done, total)
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=done, total=total, note=note)
        elif time.monotonic() - self._said >= _PLAIN_EVERY_S:
            self._said = time.monotonic()
            self._console.line(f"{self._name:<7} {done}/{total} {note}".rstrip())

    def __enter__(self) -> Self:
        if self._console.live:
            self._live = self._console.progress()
            self._task = self._live.add_task(self._name, total=None, note="")
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
