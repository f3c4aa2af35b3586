"""Renders a finished run: report.html, summary.md, junit.xml, and the closing summary of the terminal.

This room knows the summary and the records, nothing of how they came about, and it prints nothing.
"""

from __future__ import annotations

from pathlib import Path

from testcard.core.document import write_whole
from testcard.core.record import Record
from testcard.core.runfile import RunFile
from testcard.core.summary import Summary
from testcard.reports.comparison import Comparison, compare, comparison_text
from testcard.reports.junit import junit
from testcard.reports.markdown import markdown
from testcard.reports.terminal import terminal

__all__ = ["Comparison", "compare", "comparison_text", "render", "terminal"]


def render(directory: Path, summary: Summary, run: RunFile) -> list[Path]:
    """Write junit.xml, summary.md and report.html into a run directory. The records are read once, as a stream.

    Returns:
        The files, in the order of writing.

    Raises:
        TestcardError: a file cannot be written.
    """
    # Imported here: pygal and jinja2 cost start-up time that other commands need not pay.
    from testcard.reports.page import page, wanted
    from testcard.reports.series import LoadSeries

    typed = summary.load is not None and summary.load.loop == "replace"
    series, numbers = LoadSeries(typed=typed), wanted(summary)
    excerpts: dict[int, Record] = {}
    for record in run.records():
        series.add(record)
        if record.number in numbers:
            excerpts[record.number] = record
    contents = {
        "junit.xml": junit(summary),
        "summary.md": markdown(summary).encode(),
        "report.html": page(summary, excerpts, series).encode(),
    }
    written = []
    for name, content in contents.items():
        path = directory / name
        write_whole(path, content)
        written.append(path)
    return written
