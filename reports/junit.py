"""junit.xml: one test case per requirement, one per claim or SLO that the verdict depends on.

The dialect that Jenkins, GitLab and GitHub's actions read: a case is passed, failed, in error or skipped.
A requirement that was not judged is skipped with its reason, never passed; where the whole run has no
verdict, a case of its own is in error, so that a pipeline which reads only this file isn't green.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from testcard.core.outcome import FAIL, NOT_APPLICABLE, NOT_JUDGED, NOT_OBSERVED, OUTCOMES, WARN
from testcard.core.summary import Bound, RequirementResult, Summary
from testcard.reports import overview
from testcard.reports.printable import one_line, printable

_LONGEST = 8000  # characters of one message body
_WITHOUT_VERDICT = ("not-judged", "inconclusive", "error", "interrupted")


def junit(summary: Summary) -> bytes:
    """The document, UTF-8."""
    root = Element("testsuites", name="testcard")
    if summary.requirements is not None:
        suite = _suite(root, summary, "testcard.requirements")
        for result in summary.requirements:
            _requirement(suite, result)
    asked = [bound for bound in overview.bounds(summary.load) if bound.asked] if summary.load else []
    if asked:
        suite = _suite(root, summary, "testcard.load")
        for number, bound in enumerate(asked):
            repeated = any(other.id == bound.id for other in asked[:number])
            _bound(suite, bound, f"{bound.id} ({number + 1})" if repeated else bound.id)
    if summary.verdict in _WITHOUT_VERDICT:
        case = SubElement(
            _suite(root, summary, "testcard.run"), "testcase", classname="testcard.run", name="verdict", time="0"
        )
        _told(case, "error", summary.verdict, summary.headline, summary.advice)
    for suite in (*root, root):
        for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(name, str(len(list(suite.iter(tag)))))
    indent(root)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _suite(root: Element, summary: Summary, name: str) -> Element:
    suite = SubElement(root, "testsuite", name=name, time="0", timestamp=_text(summary.started_at))
    properties = SubElement(suite, "properties")
    told = {
        "testcard": summary.testcard,
        "command": summary.command,
        "verdict": summary.verdict,
        "exit_code": summary.exit_code,
        "headline": summary.headline,
        "seed": summary.seed,
        **{f"target.{name}": summary.target.get(name) for name in ("name", "base_url", "model", "dialect")},
    }
    for key, value in told.items():
        if value is not None:
            SubElement(properties, "property", name=key, value=one_line(str(value), _LONGEST))
    return suite


def _requirement(suite: Element, result: RequirementResult) -> None:
    area = result.id.partition(".")[0]
    case = SubElement(suite, "testcase", classname=f"testcard.{area}", name=result.id, time="0")
    reason = result.reason or OUTCOMES.get(result.outcome, "")
    if overview.kind(result) == overview.KNOWN:
        SubElement(case, "skipped", message=one_line(f"known failure: {reason}", _LONGEST))
        SubElement(case, "system-out").text = _text("\n".join(_lines(result)))
    elif result.outcome == FAIL:
        _told(case, "failure", result.level, result.actual or result.statement, _lines(result))
    elif result.outcome in (NOT_JUDGED, NOT_OBSERVED, NOT_APPLICABLE):
        SubElement(case, "skipped", message=one_line(f"{result.outcome}: {reason}", _LONGEST))
    elif result.outcome == WARN:
        lines = ("a SHOULD does not hold; it counts with --strict", *_lines(result))
        SubElement(case, "system-out").text = _text("\n".join(lines))


def _bound(suite: Element, bound: Bound, name: str) -> None:
    case = SubElement(suite, "testcase", classname="testcard.load", name=one_line(name), time="0")
    lines = (bound.statement, overview.demand(bound), overview.measured(bound), overview.misses(bound), bound.advice)
    if bound.verdict == "kept":
        SubElement(case, "system-out").text = _text("\n".join(filter(None, lines)))
    else:
        message = f"{bound.verdict}: {overview.demand(bound)}; {overview.measured(bound)}"
        _told(case, "failure" if bound.verdict == "refuted" else "error", bound.verdict, message, lines)


def _lines(result: RequirementResult) -> tuple[str, ...]:
    rows = (
        ("requirement", result.statement),
        ("source", result.source),
        ("expected", result.expected),
        ("actual", result.actual),
        ("evidence", overview.evidence(result)),
        ("try", result.reproduce),
    )
    return tuple(f"{label:<12}{text}" for label, text in rows if text)


def _told(case: Element, tag: str, kind: str, message: str, lines: Iterable[str]) -> None:
    told = SubElement(case, tag, type=kind, message=one_line(message, _LONGEST))
    told.text = _text("\n".join(filter(None, lines)))


def _text(text: str) -> str:
    return printable(text, _LONGEST)
