"""junit.xml, read back as a CI system would."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree

import pytest

import sample_run
from testcard.core.summary import Summary
from testcard.reports.junit import junit


def cases(summary: Summary) -> dict[str, ElementTree.Element]:
    """The test cases by classname.name, each of which is there once."""
    root = ElementTree.fromstring(junit(summary))  # noqa: S314 (our own document)
    found = list(root.iter("testcase"))
    named = {f"{case.get('classname')}.{case.get('name')}": case for case in found}
    assert len(named) == len(found)
    return named


def ending(case: ElementTree.Element) -> str:
    return next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")


def test_every_requirement_is_one_case_that_ends_as_it_did() -> None:
    """A fail fails, a warn passes and says so, and whatever wasn't judged is skipped with its reason."""
    found = cases(sample_run.summary(load=False))
    expected = {"fail": "failure", "warn": "passed", "pass": "passed"}
    for row in sample_run.requirement_results():
        case = found.pop(f"testcard.{row.id.partition('.')[0]}.{row.id}")
        assert ending(case) == ("skipped" if row.known else expected.get(row.outcome, "skipped")), row.id
        if row.reason:
            assert row.reason in case[0].get("message", "")
        if row.outcome == "warn":
            assert row.actual in (case.findtext("system-out") or "")
    assert not found


def test_a_failure_says_expected_actual_source_and_how_to_try_it() -> None:
    """What a CI system shows of a failed case is enough to reproduce it."""
    case = cases(sample_run.summary())["testcard.generate.generate.n-honoured"]
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "1 picture"
    row = next(row for row in sample_run.requirement_results() if row.id == "generate.n-honoured")
    for part in (row.statement, row.source, row.expected, row.actual, "records", row.reproduce):
        assert part is not None
        assert part in (failure.text or "")


def test_the_claims_and_slos_that_were_asked_for_are_cases_too() -> None:
    """Kept passes, refuted fails, inconclusive is in error, and a claim that nobody asked for is no case."""
    load = sample_run.load_summary()
    refuted = replace(load.claims[0], id="refuted", verdict="refuted")
    summary = replace(sample_run.summary(), load=replace(load, claims=(*load.claims, refuted), slos=load.slos * 2))
    found = {name: ending(case) for name, case in cases(summary).items() if name.startswith("testcard.load.")}
    assert found == {
        "testcard.load.interactive": "passed",
        "testcard.load.refuted": "failure",
        "testcard.load.p99.9<=900ms": "error",
        "testcard.load.p99.9<=900ms (2)": "error",
    }


@pytest.mark.parametrize("verdict", ["not-judged", "inconclusive", "error", "interrupted"])
def test_a_run_without_a_verdict_is_not_green(verdict: str) -> None:
    """Where nothing failed because nothing was seen, one case is in error."""
    summary = replace(sample_run.summary(), verdict=verdict, requirements=None, load=None)
    found = cases(summary)
    assert [ending(case) for case in found.values()] == ["error"]
    assert not cases(replace(summary, verdict="kept"))


def test_counts_and_properties_stand_on_the_suites() -> None:
    """The attributes agree with the cases, and the suite says which target, verdict and seed it is about."""
    root = ElementTree.fromstring(junit(sample_run.summary()))  # noqa: S314 (our own document)
    for suite in root:
        ends = Counter(ending(case) for case in suite.iter("testcase"))
        assert int(suite.get("tests", "")) == ends.total()
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(name, "")) == ends[tag]
        told = {each.get("name"): each.get("value") for each in suite.iter("property")}
        assert told["verdict"] == "broken"
        assert told["seed"] == "1"
        assert told["target.base_url"] == sample_run.TARGET["base_url"]
    assert root.get("failures") == "3"


def test_text_of_a_server_stays_text() -> None:
    """Markup is escaped and control characters are written out, as XML 1.0 forbids them."""
    document = junit(sample_run.summary())
    assert not {byte for byte in document if byte < 32} - set(b"\n\t")
    case = cases(sample_run.summary())["testcard.error.error.authentication"]
    failure = case.find("failure")
    assert failure is not None
    assert "</script><img src=x onerror=alert(1)>\\x1b[31m\\x00" in failure.get("message", "")
