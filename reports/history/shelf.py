"""Finds the run directories below folders, and reads each; what cannot be read is told and left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from testcard.core.errors import RunFileError
from testcard.core.runfile import NAME as RECORDS
from testcard.core.summary import NAME
from testcard.reports.history.past import Past, read
from testcard.reports.history.record import LeftOut

_EVIDENCE = "evidence"  # of a run: bytes of answers, and no runs


def run_directories(folder: Path, refused: Callable[[OSError], None]) -> Iterator[Path]:
    """The folder itself or those below it that hold a run; a link to another folder is not followed."""
    for path, folders, files in os.walk(folder, onerror=refused):
        run = NAME in files or RECORDS in files
        if run:
            yield Path(path)
        # A run may have others below it: of `--out runs` say, where earlier ones stand.
        folders[:] = sorted(name for name in folders if not (name.startswith(".") or (run and name == _EVIDENCE)))


def gather(folders: Sequence[Path]) -> tuple[list[Past], list[LeftOut]]:
    """Every run below the folders, the oldest first; a copy of a run counts once.

    Raises:
        RunFileError: one of them is no folder.
    """
    found: dict[bytes, Past] = {}
    left_out: list[LeftOut] = []

    def refused(error: OSError) -> None:
        left_out.append(LeftOut(str(error.filename), f"{error.filename} cannot be read: {error.strerror}"))

    for directory in _once(folders, refused):
        try:
            past = read(directory)
        except RunFileError as error:
            left_out.append(LeftOut(str(directory), str(error)))
            continue
        first = found.setdefault(past.digest, past)
        if first is not past:
            left_out.append(LeftOut(str(directory), f"{directory} is a copy of {first.directory}"))
    return sorted(found.values(), key=lambda past: (past.started, str(past.directory))), left_out


def _once(folders: Iterable[Path], refused: Callable[[OSError], None]) -> Iterator[Path]:
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            raise RunFileError(f"there is no folder {folder}: name one that holds run directories")
        for directory in run_directories(folder, refused):
            where = directory.resolve()
            if where not in seen:
                seen.add(where)
                yield directory
