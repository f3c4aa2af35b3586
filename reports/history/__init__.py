"""Runs over time: what broke and healed, how latency moved, and what is left of each SLO's error budget."""

from __future__ import annotations

from pathlib import Path

from testcard.core.document import write_document
from testcard.core.errors import TestcardError
from testcard.reports.history.assemble import assemble
from testcard.reports.history.record import History, Track
from testcard.reports.history.shelf import gather
from testcard.reports.history.text import text

__all__ = ["History", "Track", "assemble", "gather", "render", "text"]


def render(history: History, folder: Path) -> list[Path]:
    """Write history.html, history.md and history.json into a folder, which is made if need be.

    Returns:
        The files.

    Raises:
        TestcardError: a file cannot be written.
    """
    # Imported here: pygal and jinja2 cost start-up time that the table need not pay.
    from testcard.reports.history.markdown import markdown
    from testcard.reports.history.page import page

    paths = [folder / name for name in ("history.html", "history.md", "history.json")]
    contents = (page(history), markdown(history))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in zip(paths, contents, strict=False):
            path.write_text(content, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise TestcardError(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    write_document(paths[-1], history.to_json())
    return paths
