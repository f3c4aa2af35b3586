"""The closing summary as text: the verdict at a glance, and what to do about it."""

from __future__ import annotations

from testcard.core.outcome import FAIL, NOT_JUDGED, WARN
from testcard.core.quantity import human_s
from testcard.core.summary import Bound, LoadSummary, RequirementResult, Summary
from testcard.reports import overview
from testcard.reports.breakdown import tables
from testcard.reports.paper import COLOURS, Paper
from testcard.reports.printable import one_line, printable

_IN_FULL = 10  # failures; more would scroll the verdict's reasons off the screen, and the report has them
_LONGEST = 600  # characters of expected and actual


def terminal(summary: Summary, *, colour: bool, width: int, report: str) -> str:
    """The closing summary.

    Args:
        colour: with ANSI colours; otherwise plain text. The environment is not asked.
        width: columns of the terminal.
        report: where the report is, as the last line shows it.
    """
    paper = Paper(width, colour=colour)
    if summary.requirements is not None:
        _requirements(paper, summary)
    if summary.load is not None:
        _load(paper, summary.load)
    if summary.advice and summary.ended != "unanswered":
        paper.blank()
        for advice in summary.advice:
            paper.item("→", printable(advice), indent=2)
    paper.blank()
    word = overview.verdict_word(summary)
    paper.item(word, printable(summary.headline), style=COLOURS.get(summary.verdict, "bold"), gap=2)
    paper.whole(f"{'report':<{len(word)}}  {printable(report)}")
    return paper.text()


def _requirements(paper: Paper, summary: Summary) -> None:
    results = summary.requirements or ()
    told = f"{len(results)} requirements: {overview.tally(overview.counts(results))}"
    paper.item("check", f"{told if results else 'no requirement was judged'} · {overview.spent(summary.cost)}", gap=3)
    if summary.ended == "unanswered":
        return  # one sentence says it all: the verdict's
    failures = overview.of_kind(summary, FAIL)
    for number, result in enumerate(failures):
        if number < _IN_FULL:
            _in_full(paper, result, "bold red")
        else:
            paper.item("✗", f"{result.id}  {one_line(result.actual, 100)}", style="bold red", indent=2)
    if len(failures) > _IN_FULL:
        paper.item("", f"the last {len(failures) - _IN_FULL} in one line each; the report has their evidence", indent=3)
    for result in overview.of_kind(summary, overview.KNOWN):
        paper.item("⚑", f"{result.id}  known: {one_line(result.reason or '', 200)}", style="bold yellow", indent=2)
    for result in overview.of_kind(summary, WARN):
        told = f"expected {one_line(result.expected, 200)}; got {one_line(result.actual, 200)}"
        paper.item("!", f"{result.id}  {result.level}  {told}", style="bold yellow", indent=2)
    for group in overview.by_reason(overview.of_kind(summary, NOT_JUDGED)):
        names = ", ".join(result.id for result in group.requirements)
        paper.item("?", f"not judged: {one_line(group.reason, 300)}", style="bold red", indent=2)
        paper.item("", names, indent=3)


def _in_full(paper: Paper, result: RequirementResult, style: str) -> None:
    paper.blank()
    paper.item("✗", f"{result.id}  {result.level}", style=style, indent=2)
    rows = (
        ("", result.statement),
        ("source", result.source),
        ("expected", result.expected),
        ("actual", result.actual),
        ("evidence", overview.evidence(result)),
    )
    for label, text in rows:
        if text:
            paper.item(f"{label:<8}" if label else "", printable(text, _LONGEST), indent=6, gap=2 if label else 0)
    if result.reproduce:
        paper.whole(f"      {'try':<8}  {printable(result.reproduce)}")


def _load(paper: Paper, load: LoadSummary) -> None:
    paper.blank()
    paper.item("load", f"{overview.load_title(load)} · {overview.account(load)}", gap=4)
    for name, values in overview.spans(load).items():
        if name == "first_byte_s":
            continue
        title, span = overview.span(load, name)
        figures = "  ".join(f"{quantile} {human_s(value)}" for quantile, value in values.items())
        paper.item(f"{title:<13}", f"{figures}   ({span})", indent=8)
    counted = " · ".join(f"{name} {number:,}" for name, number in overview.load_outcomes(load).items())
    paper.item(f"{'outcomes':<13}", counted, indent=8)
    if load.limit is None:
        rates = f"offered {load.offered_rate_per_s:.4g}/s, achieved {load.achieved_rate_per_s:.4g}/s"
        paper.item(f"{'rate':<13}", rates, indent=8)
    if load.validity != "ok":
        told = f"{load.validity}: the figures describe the generator"
        paper.item("!", told, style="bold yellow", indent=6)
    for note in load.notes:
        paper.item("!", printable(note), style="bold yellow", indent=6)
    for table in tables(load, sources=False):
        paper.table(table, indent=8)
    bounds = overview.bounds(load)
    for bound in bounds:
        if overview.worth_a_line(bound):
            _bound(paper, bound)
    if rest := [bound.id for bound in bounds if not overview.worth_a_line(bound)]:
        told = f"not asked for, and not measured: {', '.join(rest)} (testcard explain {rest[0]})"
        paper.item("·", told, indent=6)


def _bound(paper: Paper, bound: Bound) -> None:
    sign = overview.BOUND_SIGNS.get(bound.verdict, "?")
    asked = "" if bound.asked else ", not asked for"
    text = f"{bound.id}  {bound.verdict}{asked}: {overview.demand(bound)}; {overview.measured(bound)}"
    paper.item(sign, text, style=COLOURS.get(bound.verdict, "bold"), indent=6)
    if bound.verdict != "kept" and bound.samples:
        paper.item("", overview.misses(bound), indent=8, gap=0)
    if bound.advice:
        paper.item("→", printable(bound.advice), indent=8)
