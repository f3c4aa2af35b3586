"""A file of lines that is written on one host and kept on another, byte for byte, whatever becomes of messages.

The writer's side sends what is new, and again what was not confirmed in time; the keeper's side takes only what
follows on what it has. So a file that has ended here is complete there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testcard.load.journal import Journal, Tail

_PIECE = 256 * 1024
_MOST_UNCONFIRMED = 4 * 1024 * 1024
_PATIENCE_S = 2.0


class Mirrored:
    """The writer's side.

    Args:
        name: what the keeper calls it.
        send: takes what LINES holds.
    """

    def __init__(self, name: str, path: Path, send: Callable[[dict[str, Any]], None]) -> None:
        self._name = name
        self._path = path
        self._tail = Tail(path)
        self._send = send
        self._sent = self.confirmed = 0
        self._moved = 0.0
        self.ended = False
        """Whether the keeper has all of it, and knows that nothing follows."""

    @property
    def under_way(self) -> int:
        """Bytes that were written and not confirmed."""
        return self._size() - self.confirmed

    def advance(self) -> None:
        """Send what is due: the news, what must be sent again, or that it has ended."""
        if self.ended or not self._path.exists():
            return
        now = time.monotonic()
        if self._sent > self.confirmed and now - self._moved > _PATIENCE_S:
            self._sent, self._moved = self.confirmed, now
        over = self._size() > 0 and self._tail.abandoned()  # asked before the last look: nothing comes after it
        while self._sent - self.confirmed < _MOST_UNCONFIRMED and (data := self._lines()):
            if self._sent == self.confirmed:
                self._moved = now
            self._send({"file": self._name, "at": self._sent, "data": data, "ended": False})
            self._sent += len(data)
        if over and self._sent == self.confirmed and not self._lines():
            self._send({"file": self._name, "at": self._sent, "data": b"", "ended": True})

    def confirm(self, upto: int, ended: bool) -> None:
        """Take what TAKEN holds."""
        if upto > self.confirmed:
            self.confirmed, self._moved = upto, time.monotonic()
            self._sent = max(self._sent, upto)
        self.ended = self.ended or ended

    def _lines(self) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._sent)
            data = file.read(_PIECE)
            while b"\n" not in data and (more := file.read(_PIECE)):
                data += more
        return data[: data.rfind(b"\n") + 1]

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0


class Mirror:
    """The keeper's side. It looks as if the writer were here: locked for as long as more may come.

    Raises:
        OSError: the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._journal: Journal | None = Journal(path)
        self.length = 0

    @property
    def closed(self) -> bool:
        return self._journal is None

    def take(self, at: int, data: bytes) -> None:
        """Append lines that begin at that byte; others are not yet, or already, here."""
        if self._journal is not None and data and at == self.length:
            self._journal.note(data[:-1])
            self._journal.flush()
            self.length += len(data)

    def close(self) -> None:
        """Say that nothing follows."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
