"""summary.md, as a pull request or a CI step shows it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

import sample_run
from testcard.core.outcome import FAIL
from testcard.core.summary import Summary
from testcard.reports.markdown import MOST_BYTES, markdown


def html(summary: Summary) -> str:
    """The summary as a CommonMark reader with tables and bare links shows it."""
    return str(MarkdownIt("commonmark").enable("table").render(markdown(summary)))


def test_the_verdict_comes_first() -> None:
    """The first line is the verdict in a sentence; the advice stands before the tables."""
    text = markdown(sample_run.summary())
    assert text.startswith("## ❌ BROKEN: 3 of 72 requirements are broken")
    assert text.index("- Fix limit") < text.index("| requirement |") < text.index("### Load")


def test_failures_load_and_claims_are_tables() -> None:
    """A failing requirement is a row with expected and actual; so are spans, outcomes and claims."""
    page = html(sample_run.summary())
    assert "<td>❌ <code>generate.n-honoured</code></td>\n<td>MUST</td>\n<td><code>n = 2 pictures</code></td>" in page
    assert page.count("<table>") == 5  # failures, warnings, latency, outcomes, bounds
    for expected in ("auth.challenge", "TESTCARD&#95;SECOND&#95;KEY", "337 ms", "inconclusive", "59 more requests"):
        assert expected.replace("&#95;", "_") in page


def test_text_of_a_server_is_neither_markup_nor_mention_nor_link() -> None:
    """Pipes, backticks, tags, stars, mentions and links of a server are shown as it sent them."""
    summary = sample_run.summary()
    page = html(replace(summary, headline=f"It answered {sample_run.HOSTILE}"))
    assert "<img" not in page
    assert "<strong>b</strong>" not in page
    assert "<code>type &lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;\\x1b[31m\\x00 | `a` **b** @octocat" in page
    source = markdown(replace(summary, headline=f"It answered {sample_run.HOSTILE}"))
    assert "@" not in source.replace("@{", "")
    assert "www.example" not in source
    outside = re.sub(r"<code>.*?</code>", "", page, flags=re.DOTALL)
    assert "@octocat" not in outside


def test_a_command_cannot_break_out_of_its_block() -> None:
    """A curl line with backticks of its own stays in its fence."""
    rows = tuple(
        replace(row, reproduce="curl\n```\n# heading\n<b>bold</b>") for row in sample_run.requirement_results()
    )
    page = html(replace(sample_run.summary(), requirements=rows))
    assert "<h1>" not in page
    assert "<b>" not in page
    assert "# heading" in page


@pytest.mark.parametrize("character", ["x", "|", "漢", "`"])
def test_it_stays_under_60_kb(character: str) -> None:
    """However much failed and whatever the server wrote, it fits, keeps the verdict, and says what it left out."""
    long = character * 20_000
    rows = tuple(
        replace(row, outcome=FAIL, known=False, expected=long, actual=long, reproduce=long)
        for row in sample_run.requirement_results() * 3
    )
    text = markdown(replace(sample_run.summary(), requirements=rows))
    assert len(text.encode()) <= MOST_BYTES
    assert text.startswith("## ❌ BROKEN")
    assert "### Load" in text
    assert "did not fit here: see `report.html`" in text


@pytest.mark.parametrize("requirements", [True, False])
@pytest.mark.parametrize("load", [True, False])
def test_missing_parts_are_left_out(requirements: bool, load: bool) -> None:
    """A run that only checked or only loaded has no empty headings."""
    text = markdown(sample_run.summary(requirements=requirements, load=load))
    assert ("### Requirements" in text) is requirements
    assert ("### Load" in text) is load


def test_no_figures_no_table() -> None:
    """A load that nothing answered still says where its arrivals went."""
    load = replace(sample_run.load_summary(), latency_s={}, service_s={}, media_s=None, dispatch_lag_s=None)
    text = markdown(replace(sample_run.summary(), load=replace(load, outcomes={}, claims=(), slos=())))
    assert "2,940 planned" in text
    assert "| span |" not in text
