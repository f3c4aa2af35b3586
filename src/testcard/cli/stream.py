"""Standard output and error that outlive their readers.

`testcard run | head -1`, a terminal that was closed: what nobody can receive any more is let go, and the command goes
on to its verdict, which files and exit code tell. (click would end with 1, which means broken.)
"""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import TextIO

_GONE = (errno.EPIPE, errno.EIO)
"""Nobody reads it any more: a pipe without a reader, a terminal that was closed."""


class _Lasting(io.FileIO):
    """Takes everything; what it could not pass on it remembers the reason of."""

    problem: OSError | None = None

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]  # whatever the buffer above it holds
        except OSError as error:
            self.problem = error
            return memoryview(data).nbytes  # type: ignore[arg-type]  # likewise


class Streams:
    """Both streams of this process, from here on."""

    def __init__(self) -> None:
        self._output = self._outlive("stdout")
        self._outlive("stderr")

    @property
    def problem(self) -> str | None:
        """Why standard output does not hold all that was printed, where somebody may still wait for it."""
        error = self._output.problem if self._output is not None else None
        return None if error is None or error.errno in _GONE else error.strerror

    @staticmethod
    def _outlive(name: str) -> _Lasting | None:
        stream: TextIO | None = getattr(sys, name)
        if stream is None:  # closed before we began
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (for as long as the process)
            return None
        if not isinstance(stream, io.TextIOWrapper):
            return None
        stream.flush()
        raw = _Lasting(stream.fileno(), "wb", closefd=False)
        lasting = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=stream.encoding,
            errors="backslashreplace",  # what a server says need not fit the terminal's encoding
            line_buffering=name == "stderr" or stream.line_buffering,
        )
        setattr(sys, name, lasting)
        return raw
