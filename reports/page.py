"""report.html: one file that opens offline, from the verdict down to the evidence.

Rule 1: no request leaves the page. Its Content-Security-Policy allows nothing but its own style sheet and
script, by their hashes; so text of a server that became markup all the same could neither run nor call home.
Rule 2: it works without the script, which only copies commands and reads charts out under a finger.
Rule 3: under 2 MB. Excerpts are cut, and dropped where they are many; the charts are bounded (series.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testcard.core.quantity import human_s
from testcard.core.record import Record
from testcard.core.summary import RequirementResult, Summary
from testcard.reports import overview
from testcard.reports.breakdown import tables
from testcard.reports.figure import figures
from testcard.reports.printable import one_line, printable
from testcard.reports.series import LoadSeries
from testcard.reports.shell import furniture, ours, template

MOST_BYTES = 1_900_000


@dataclass(frozen=True, slots=True)
class Detail:
    """How much evidence the page shows."""

    records: int
    """Excerpts of records for each requirement."""
    characters: int
    """Of each text that came from a server."""

    def cut(self, text: str) -> str:
        """The text as the page shows it."""
        return printable(text, self.characters)


DETAILS = (Detail(3, 2000), Detail(1, 600), Detail(0, 200))
"""From the one that is wanted to the one that always fits."""


def wanted(summary: Summary) -> frozenset[int]:
    """The numbers of the records whose excerpts the page shows."""
    shown = overview.of_kind(summary, "fail", overview.KNOWN, "warn")
    return frozenset(number for result in shown for number in record_numbers(result)[: DETAILS[0].records])


def record_numbers(result: RequirementResult) -> tuple[int, ...]:
    """The numbers in `record 17`."""
    words = (name.removeprefix("record ") for name in result.evidence)
    return tuple(int(word) for word in words if word.isascii() and word.isdigit())


def page(summary: Summary, records: Mapping[int, Record], series: LoadSeries) -> str:
    """The page.

    Args:
        records: those that `wanted` names, as far as the run holds them.
        series: the measured arrivals; empty where nothing was loaded.
    """
    shown = figures(summary.load, series) if summary.load is not None else ()
    names: dict[str, Any] = {
        "summary": summary,
        "load": summary.load,
        "tables": tuple(tables(summary.load)) if summary.load is not None else (),
        "o": overview,
        "figures": [(figure, ours(figure.wide), ours(figure.narrow)) for figure in shown],
        "curves": series.curves(),
        "bins": series.bins(),
        "records": records,
        "record_numbers": record_numbers,
        "excerpt": _excerpt,
        "human_s": human_s,
        "printable": printable,
        "one_line": one_line,
        **furniture(),
    }
    text = ""
    for detail in DETAILS:
        text = template("report.html").render(names, detail=detail)
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def _excerpt(record: Record, most: int) -> str:
    """The exchange as it would look on the wire, cut."""
    sent = [f"{record.method} {record.url}", *(f"{name}: {value}" for name, value in record.request_headers)]
    if record.request_body:
        sent += ["", record.request_body]
    got = [f"HTTP {record.status}"] if record.status is not None else []
    got += [f"{name}: {value}" for name, value in record.headers]
    if record.failure:
        got.append(record.failure)
    if record.body:
        got += ["", record.body]
    elif record.size_bytes:
        got += ["", f"({record.size_bytes:,} bytes, not kept)"]
    return printable("\n".join(sent), most) + "\n\n" + printable("\n".join(got), most)
