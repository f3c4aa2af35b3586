"""Files of JSON lines that one process appends to and another follows, and that tell when their writer has died.

What was noted is written a moment later, together, so that a killed writer leaves all but the lines of its last
twentieth of a second.
A writer holds a lock on its file; the system releases it however the process ends, also where nobody has reaped
the process yet.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TOGETHER_S = 0.05
"""How long lines, and answers on their way to be judged, wait for others: one call of the system for all of them."""


class Journal:
    """The writing end.

    Raises:
        FileExistsError: another writer has that file.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._noted: list[bytes] = []

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line, and what was noted before it."""
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        self.note(text.encode("utf-8", "backslashreplace"))
        self.flush()

    def note(self, line: bytes) -> None:
        """Take a line for the next flush, without its line feed."""
        self._noted.append(line)

    def flush(self) -> None:
        """Write what was noted, at once."""
        if not self._noted:
            return
        data = b"\n".join([*self._noted, b""])
        self._noted.clear()
        while data:  # a nearly full disk writes a part
            data = data[os.write(self._descriptor, data) :]

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Tail:
    """The reading end: the lines that were added since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> Iterator[bytes]:
        """Every complete line that is new, without its line feed."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # still being written
                self._offset += len(line)
                yield line[:-1]

    def abandoned(self) -> bool:
        """Whether the writer has gone. Ask only when it has been there: after its first line."""
        with self._path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
