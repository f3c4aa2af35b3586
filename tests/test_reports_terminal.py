"""The closing summary of the terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import sample_run
from testcard.core.certificate import Certificate
from testcard.core.outcome import FAIL
from testcard.core.summary import Summary
from testcard.reports import terminal

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def shown(summary: Summary, *, colour: bool = False, width: int = 100) -> str:
    return terminal(summary, colour=colour, width=width, report="runs/x/report.html")


def test_it_ends_with_the_verdict_and_the_report() -> None:
    """The last two lines are what a person looks for: the verdict in a sentence, and where to read on."""
    assert shown(sample_run.summary()).splitlines()[-2:] == [
        "BROKEN  3 of 72 requirements are broken, and 1 SLO is undecided.",
        "report  runs/x/report.html",
    ]


def test_a_failing_must_comes_with_everything_needed_to_believe_it() -> None:
    """Statement, level, source, expected, actual, records and a curl line that can be copied whole."""
    text = shown(sample_run.summary())
    result = next(row for row in sample_run.requirement_results() if row.id == "limit.retry-after-honest")
    block = text[text.index("✗ limit.retry-after-honest") :]
    words = " ".join(block.split())
    numbers = ", ".join(name.removeprefix("record ") for name in result.evidence)
    for expected in (
        "MUST",
        result.statement,
        f"expected {result.expected}",
        f"actual {result.actual}",
        f"records {numbers}",
    ):
        assert expected in words
    assert result.source.partition(" (")[0] in words
    assert any(line.endswith(f"try       {result.reproduce}") for line in block.splitlines())


def test_counts_warnings_known_failures_and_what_to_supply_are_shown() -> None:
    """Nothing that is not green is hidden: each kind is counted, named, and grouped by what would cure it."""
    text = shown(sample_run.summary())
    words = " ".join(text.split())
    assert "3 broken, 1 known failure, 2 warned, 3 not judged" in words
    assert "⚑ auth.challenge known: ticket 4711, until 2027-03-01" in words
    assert "! identity.request-id SHOULD" in words
    assert text.count("no second key: set TESTCARD_SECOND_KEY") == 1
    assert "limit.per-key, limit.headers" in words


def test_load_names_its_spans_outcomes_and_three_valued_verdicts() -> None:
    """A figure says from where to where it runs; a claim says how sure it is, or what would decide it."""
    text = " ".join(shown(sample_run.summary()).split())
    for expected in (
        "planned → last byte", "p99.9", "limited 114", "offered 100/s, achieved 99.6/s",
        "✓ interactive kept: p95 ≤ 1 s at 1024x1024; at most 700 ms at 95 % confidence",
        "✗ latency-critical refuted, not asked for: p99 ≤ 2 s at 1024x1024; at least 4 s at 95 % confidence",
        "1.2 s, between 600 ms and ∞ at 95 % confidence", "? p99.9<=900ms inconclusive", "→ 59 more requests",
    ):  # fmt: skip
        assert expected in text


def test_bounds_that_nobody_asked_for_and_nothing_speaks_of_share_a_line() -> None:
    """They are named, and what was asked for or measured keeps its lines."""
    load = sample_run.summary().load
    assert load is not None
    empty = [replace(claim, asked=False, samples=0) for claim in load.claims]
    text = " ".join(shown(replace(sample_run.summary(), load=replace(load, claims=tuple(empty)))).split())
    names = ", ".join(claim.id for claim in load.claims)
    assert f"· not asked for, and not measured: {names} (testcard explain {load.claims[0].id})" in text
    assert "✓ interactive" not in text
    assert "? p99.9<=900ms inconclusive" in text


@pytest.mark.parametrize("width", [20, 60, 100, 200])
def test_it_keeps_to_the_width_of_the_terminal(width: int) -> None:
    """Only lines that are there to be copied may be longer than the terminal is wide."""
    lines = shown(sample_run.summary(), width=width).splitlines()
    long = [line for line in lines if len(line) > max(width, 44)]
    assert all(line.lstrip().startswith(("try ", "report ")) for line in long)


def test_colour_changes_nothing_but_colour() -> None:
    """Plain text holds no escape; the coloured text without its escapes is the plain one."""
    plain, coloured = shown(sample_run.summary()), shown(sample_run.summary(), colour=True)
    assert "\x1b" not in plain
    assert _COLOUR.search(coloured)
    assert [line.rstrip() for line in _COLOUR.sub("", coloured).splitlines()] == plain.splitlines()


def test_the_environment_does_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colour and width are the command line's business alone."""
    plain, coloured = shown(sample_run.summary()), shown(sample_run.summary(), colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "dumb")
    assert shown(sample_run.summary(), colour=True) == coloured
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert shown(sample_run.summary()) == plain


def test_a_server_cannot_write_on_the_terminal() -> None:
    """Escape sequences, line feeds and reordering marks of a server are shown, not obeyed."""
    text = shown(sample_run.summary())
    assert "\\x1b[31m\\x00" in text
    assert "\\u202egnp\\ud800" in text
    assert not set(text) & set("\x1b\x00\u202e\ud800")
    text.encode()


def test_many_failures_do_not_drown_the_verdict() -> None:
    """Ten failures are told in full, every other one in a line."""
    results = tuple(
        replace(row, outcome=FAIL, known=False, expected="x", actual="y" * 5000, level="MUST")
        for row in sample_run.requirement_results()
    )
    text = shown(replace(sample_run.summary(load=False), requirements=results))
    assert text.count("\n      expected  ") == 10
    assert all(f"✗ {row.id}" in text for row in results)
    assert len(text.splitlines()) < 10 * 30 + 2 * len(results)


@pytest.mark.parametrize(
    "summary",
    [
        sample_run.summary(load=False),
        sample_run.summary(requirements=False),
        sample_run.summary(requirements=False, load=False, ended="interrupted"),
        replace(sample_run.summary(), requirements=(), advice=()),
        replace(sample_run.summary(), load=replace(sample_run.load_summary(), latency_s={}, claims=(), outcomes={})),
    ],
    ids=["no load", "no requirements", "neither", "empty", "no figures"],
)  # fmt: skip
def test_missing_parts_are_left_out(summary: Summary) -> None:
    """Whatever a run did not get to do, its closing summary can be shown."""
    text = shown(summary)
    assert text.splitlines()[-2].startswith("BROKEN  ")
    assert ("load    steady" in text) is (summary.load is not None)
    assert "None" not in text.replace("None was", "")


def test_a_table_wider_than_the_terminal_names_its_figures() -> None:
    """Columns where they fit; otherwise each figure stands behind the name of its column, and no line is cut."""
    figures = dict.fromkeys(("p50", "p90", "p95", "p99", "p99.9", "max"), 0.1825)
    certificate = Certificate("vm", 2, 300, 300, figures, figures, figures, 0.003, agrees=True)
    load = replace(sample_run.load_summary(), certificate=certificate)
    summary = replace(sample_run.summary(requirements=False), load=load)
    wide, narrow = shown(summary, width=100), shown(summary, width=80)
    assert re.search(r"quantile +p50 +p90 +p95 +p99 +p99\.9 +max\n", wide)
    assert re.search(r"told minus true +p50 \+182 ms +p90 \+182 ms", narrow)
    assert all(len(line) <= 80 for line in narrow.splitlines())


def test_a_bound_that_nobody_answered_has_no_length() -> None:
    """Where all were refused nothing lies between 0 and infinity: there is no such quantile, and the line says why."""
    load = sample_run.load_summary()
    open_ended = {"estimate_s": None, "lower_s": None, "upper_s": None}
    refused = replace(load.claims[1], samples=20, misses=20, **open_ended)  # type: ignore[arg-type]  # fields of it
    text = " ".join(shown(replace(sample_run.summary(), load=replace(load, claims=(refused,)))).split())
    assert "so many had no valid answer that p99 has no length" in text
    assert "20 of 20 arrivals" in text
