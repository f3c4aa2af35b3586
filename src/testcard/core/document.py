"""A JSON document of a run directory: written whole or not at all, read or said why not."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from testcard.core.errors import RunFileError, TestcardError

_Made = TypeVar("_Made")


def write_document(path: Path, data: Any) -> None:
    """Write it.

    Raises:
        TestcardError: it cannot be written; what stood there before still does.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    # A server may answer with a lone surrogate, which UTF-8 cannot hold; its escape is JSON for it.
    write_whole(path, text.encode("utf-8", "backslashreplace"))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, all of it or nothing.

    Raises:
        TestcardError: it cannot be written; what stood there before still does.
    """
    partial = path.with_name(f"{path.name}.new")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise TestcardError(f"{path} cannot be written: {error.strerror}") from error


def read_document(path: Path, make: Callable[[Any], _Made]) -> _Made:
    """What `make` makes of it.

    Raises:
        RunFileError: it is not there, or damaged.
    """
    try:
        return make(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunFileError(f"{path} cannot be read: {error}") from error
