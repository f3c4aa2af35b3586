"""summary.md: fit for a pull request and a CI step summary.

Rule 1: what a server sent stands in `<code>` with its punctuation as character references. So it is no
markup, no link, and no @mention, on GitHub either (whose mention and link filters skip code).
Rule 2: under 60 kB whatever happens; GitHub refuses comments over 65,536 characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from testcard.core.outcome import FAIL, NOT_JUDGED, WARN
from testcard.core.quantity import human_s
from testcard.core.summary import Bound, LoadSummary, RequirementResult, Summary
from testcard.reports import overview
from testcard.reports.breakdown import tables
from testcard.reports.printable import one_line, printable

MOST_BYTES = 60_000
_ROOM = MOST_BYTES - 400  # what the pointer to the rest needs
_LONGEST = 300  # characters of one cell
_LONGEST_CURL = 1500
_MARKS = {"kept": "✅", "broken": "❌", "refuted": "❌", "inconclusive": "❔"}
_PUNCTUATION = re.compile(r"[^\w \-,;/.…≤≥→·]|_")
_HOST = re.compile(r"(?i)(www)\.")  # GitHub makes a link of it


def markdown(summary: Summary) -> str:
    """The summary as GitHub-flavoured Markdown. Blocks that don't fit are left out, and said to be."""
    return fitting(_blocks(summary), "`report.html` or `summary.json`")


def fitting(blocks: Iterable[str], elsewhere: str) -> str:
    """The blocks as a document that GitHub takes, without those that don't fit; where the rest is to be found."""
    kept: list[str] = []
    size = left_out = 0
    for block in blocks:
        length = len(block.encode()) + 2
        if size + length > _ROOM:
            left_out += 1
            continue
        kept.append(block)
        size += length
    if left_out:
        kept.append(f"_{left_out} more blocks did not fit here: see {elsewhere}._")
    return "\n\n".join(kept) + "\n"


def _blocks(summary: Summary) -> Iterator[str]:
    yield f"## {_MARKS.get(summary.verdict, '⚠️')} {overview.verdict_word(summary)}: {plain(summary.headline)}"
    cost = overview.spent(summary.cost)
    yield f"{code(overview.target_line(summary))} · {cost} · seed {summary.seed} · testcard {plain(summary.testcard)}"
    if summary.advice:
        yield "\n".join(f"- {plain(advice)}" for advice in summary.advice)
    if summary.requirements is not None:
        yield from _requirements(summary)
    if summary.load is not None:
        yield from _load(summary.load)
    # Last, since these are the longest, and the first that may go.
    yield from (_reproduce(result) for result in overview.of_kind(summary, FAIL) if result.reproduce)


def _requirements(summary: Summary) -> Iterator[str]:
    results = summary.requirements or ()
    counted = overview.tally(overview.counts(results))
    yield (
        f"### Requirements\n\n{len(results)} in all: {counted}." if results else "### Requirements\n\nNone was judged."
    )
    yield from _contradicted("❌ ", overview.of_kind(summary, FAIL))
    known = overview.of_kind(summary, overview.KNOWN)
    if known:
        yield "#### Known failures\n\n" + "\n".join(f"- ⚑ `{row.id}`: {code(row.reason or '')}" for row in known)
    yield from _contradicted("⚠️ ", overview.of_kind(summary, WARN))
    for group in overview.by_reason(overview.of_kind(summary, NOT_JUDGED)):
        names = ", ".join(f"`{row.id}`" for row in group.requirements)
        yield f"**Not judged** — {plain(group.reason)}: {names}"


def _contradicted(mark: str, results: Sequence[RequirementResult]) -> Iterator[str]:
    for ten in (results[start : start + 10] for start in range(0, len(results), 10)):  # a long table is left out whole
        rows = ((f"{mark}`{row.id}`", row.level, code(row.expected), code(row.actual)) for row in ten)
        yield table_of(("requirement", "level", "expected", "actual"), rows)


def _reproduce(result: RequirementResult) -> str:
    command = printable(result.reproduce, _LONGEST_CURL)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", command)), default=0))
    title = f"<summary><code>{result.id}</code>: try it</summary>"
    shown = f"{plain(result.statement)} ({plain(result.source)})"
    return f"<details>{title}\n\n{shown}\n\n{fence}sh\n{command}\n{fence}\n</details>"


def _load(load: LoadSummary) -> Iterator[str]:
    yield f"### Load\n\n{plain(overview.load_title(load))}: {overview.account(load)}."
    measured = overview.spans(load)
    if measured:
        names = list(dict.fromkeys(name for values in measured.values() for name in values))
        rows = (
            ("{} ({})".format(*overview.span(load, span)), *(_seconds(values.get(name)) for name in names))
            for span, values in measured.items()
        )
        yield table_of(("span", *names), rows)
    counted = overview.load_outcomes(load)
    if counted:
        yield table_of((*counted, "offered", "achieved"), [(
            *(f"{number:,}" for number in counted.values()),
            f"{load.offered_rate_per_s:.4g}/s", f"{load.achieved_rate_per_s:.4g}/s",
        )])  # fmt: skip
    if load.validity != "ok":
        yield f"⚠️ **{plain(load.validity)}**: the figures describe the generator."
    if load.notes:
        yield "\n".join(f"- ⚠️ {plain(note)}" for note in load.notes)
    for table in tables(load):
        lines = [[plain(cell) for cell in row] for row in table.rows]
        yield f"#### {table.title}\n\n{plain(table.note)}\n\n{table_of(map(plain, table.head), lines)}"
    bounds = overview.bounds(load)
    if bounds:
        yield table_of(("claim or SLO", "demand", "verdict", "measured", "asked"), (_bound(bound) for bound in bounds))


def _bound(bound: Bound) -> tuple[str, ...]:
    told = plain(overview.measured(bound) + (f"; {bound.advice}" if bound.advice else ""))
    verdict = f"{_MARKS.get(bound.verdict, '⚠️')} {bound.verdict}"
    return code(bound.id), plain(overview.demand(bound)), verdict, told, "yes" if bound.asked else "no"


def table_of(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are Markdown already."""
    names = list(head)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _seconds(value: float | None) -> str:
    return "" if value is None else human_s(value)


def _references(text: str) -> str:
    shown = _PUNCTUATION.sub(lambda found: f"&#{ord(found[0])};", one_line(text, _LONGEST))
    return _HOST.sub(r"\1&#46;", shown)


def code(text: str) -> str:
    """What a server sent, or a file says: shown as it is, and nothing but text."""
    return f"<code>{_references(text)}</code>" if text.strip() else ""


def plain(text: str) -> str:
    """Our own sentences, which may quote a server: no mention, and no issue's number, outlives the space."""
    return _references(text).replace("&#64;", "&#64;&#8203;").replace("&#35;", "&#35;&#8203;")
