"""report.html as a document: what it says, what it never does, how big it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import sample_run
from testcard.core.errors import TestcardError
from testcard.core.outcome import FAIL, PASS
from testcard.core.record import Record
from testcard.core.runfile import RunFile
from testcard.core.summary import Summary
from testcard.reports import render

Render = Callable[..., str]
_VOID = {"meta", "br", "img", "input", "link", "hr", "base", "source", "embed"}
_ADDRESSES = {"src", "href", "srcset", "data", "action", "poster", "xlink:href", "style"}


class Document(HTMLParser):
    """Elements with their attributes, the text, and the tags left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def count(self, tag: str, **attributes: str) -> int:
        return sum(name == tag and attributes.items() <= found.items() for name, found in self.elements)


@pytest.fixture
def rendered(tmp_path: Path) -> Render:
    """Writes a run, renders it, and gives report.html."""

    def write(summary: Summary, records: Iterator[Record] | None = None, **options: Any) -> str:
        sample_run.write_run(tmp_path, records, **options)
        assert [path.name for path in render(tmp_path, summary, RunFile(tmp_path))] == [
            "junit.xml", "summary.md", "report.html",
        ]  # fmt: skip
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return write


def test_the_first_thing_is_the_verdict_and_what_to_do(rendered: Render) -> None:
    """Verdict, advice, what broke and how many failures are merely accepted stand before everything else."""
    text = Document(rendered(sample_run.summary())).text
    places = [
        text.index(words)
        for words in (
            "BROKEN 3 of 72 requirements are broken",
            "Fix limit.retry-after-honest first",
            "Broken: generate.n-honoured, error.authentication, limit.retry-after-honest",
            "1 known failure accepted by the target's file and not counted: auth.challenge",
            f"{sum(row.outcome == PASS for row in sample_run.requirement_results())} kept",
            "337 ms p95",
            "Requirements",
            "Latency by percentile",
        )
    ]
    assert places == sorted(places)


def test_every_requirement_is_there_with_its_evidence(rendered: Render) -> None:
    """Each id has one place; a failing one shows statement, expected, actual, source, records and curl."""
    page = Document(rendered(sample_run.summary()))
    ids = [found["id"] for _, found in page.elements if found.get("id")]
    assert len(ids) == len(set(ids))
    for row in sample_run.requirement_results():
        assert row.id in ids
    row = next(row for row in sample_run.requirement_results() if row.id == "generate.n-honoured")
    for words in (row.statement, row.expected, row.actual, row.source, row.reproduce, "HTTP 200", "retry-after: 7"):
        assert words is not None
        assert words in page.text


def test_every_link_inside_the_page_leads_somewhere(rendered: Render) -> None:
    """No anchor points at an id that is not there."""
    page = Document(rendered(sample_run.summary()))
    ids = {found["id"] for _, found in page.elements if found.get("id")}
    anchors = {found["href"] for tag, found in page.elements if tag == "a"}
    assert anchors <= {f"#{name}" for name in ids}
    assert anchors


def test_the_page_asks_nobody_for_anything(rendered: Render) -> None:
    """No element loads from an address, and the policy forbids what could."""
    page = Document(rendered(sample_run.summary()))
    addresses = [value for _, found in page.elements for name, value in found.items() if name in _ADDRESSES]
    assert all(value and value.startswith("#") for value in addresses)
    assert not page.count("link") + page.count("iframe") + page.count("img")
    policy = next(found["content"] for _, found in page.elements if found.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_text_of_a_server_stays_text(rendered: Render) -> None:
    """A server's markup, in a finding and in a record, becomes neither an element nor a control character."""
    text = rendered(sample_run.summary())
    page = Document(text)
    assert page.count("script") == 1
    assert not page.count("img")
    assert not page.open
    assert not set(text) & set("\x00\x1b\u202e\ud800")
    assert "</script><img src=x onerror=alert(1)>\\x1b[31m\\x00 | `a` **b** @octocat" in page.text


def test_the_charts_are_drawn_for_both_widths_with_bounds_and_values(rendered: Render) -> None:
    """Three charts, wide and narrow, with a title for every point and the lines of claims and SLOs."""
    text = rendered(sample_run.summary())
    page = Document(text)
    for title in ("Latency by percentile", "Latency over time", "Outcomes over time"):
        assert page.count("svg", role="img", **{"aria-label": title}) == 2
    assert "p95: " in text
    for words in ("interactive: p95 ≤ 1 s at 1024x1024, kept", "limited, 1 server-error", "offered ", "achieved "):
        assert words in text
    for name in ("span-latency_s", "span-every_s", "span-media_s", "bound-refuted", "outcome-limited", "line-achieved"):
        assert f'class="series {name}' in text or f" {name}" in text
    assert "pygal" not in text.lower()


def test_the_same_run_gives_the_same_page(rendered: Render) -> None:
    """Rendering again changes nothing, so that reports can be compared and cached."""
    assert rendered(sample_run.summary()) == rendered(sample_run.summary())


@pytest.mark.parametrize(
    ("summary", "records"),
    [
        (sample_run.summary(load=False), sample_run.check_records()),
        (sample_run.summary(requirements=False), sample_run.load_records(300)),
        (sample_run.summary(requirements=False, load=False, ended="cut-off"), iter(())),
        (sample_run.summary(), iter(())),
        (sample_run.summary(), sample_run.load_records(1)),
        (sample_run.summary(), (replace(record, phase="measured") for record in sample_run.load_records(1))),
        (sample_run.summary(), (replace(record, planned_s=1.0) for record in sample_run.load_records(50))),
        (sample_run.summary(), (replace(row, outcome="lost", last_byte_s=None) for row in sample_run.load_records(60))),
        (replace(sample_run.summary(), advice=(), target={}, requirements=()), sample_run.check_records(3)),
    ],
    ids=["check", "load", "cut off", "no records", "warm-up only", "one arrival", "all at once", "all lost", "bare"],
)  # fmt: skip
def test_a_run_with_missing_parts_is_rendered(rendered: Render, summary: Summary, records: Iterator[Record]) -> None:
    """However little a run got to do, its page is whole and says what it has."""
    page = Document(rendered(summary, records, footer=False))
    assert not page.open
    assert summary.headline in page.text
    assert (summary.ended in page.text) or summary.ended == "complete"
    assert "None" not in page.text.replace("None was", "")


def test_a_big_run_stays_small(rendered: Render) -> None:
    """Thirty thousand arrivals take no more room than three thousand: points are thinned, the slowest kept."""
    slowest = 7.25
    records = [
        replace(record, outcome="valid", last_byte_s=record.planned_s + slowest) if record.number == 21_000 else record
        for record in sample_run.load_records(30_000, rate=500.0)
    ]
    text = rendered(sample_run.summary(requirements=False), iter(records))
    assert len(text.encode()) < 400_000
    assert "7.25 s at " in text


def test_a_server_that_says_much_is_cut_short(rendered: Render) -> None:
    """Every requirement failing with the longest evidence there can be stays under 2 MB, all of them told."""
    long = "<&\"'>" * 1000
    rows = tuple(
        replace(row, outcome=FAIL, known=False, expected=long, actual=long, reproduce=long, evidence=("record 1",))
        for row in sample_run.requirement_results()
    )
    records = (replace(record, body=long, request_body=long) for record in sample_run.check_records(3))
    page = rendered(replace(sample_run.summary(load=False), requirements=rows), records)
    assert len(page.encode()) < 2_000_000
    assert all(f'id="{row.id}"' in page for row in rows)
    assert "more characters" in page


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A report that cannot be written says which file and why."""
    sample_run.write_run(tmp_path, iter(()))
    (tmp_path / "junit.xml").mkdir()
    with pytest.raises(TestcardError, match=r"junit\.xml cannot be written: Is a directory"):
        render(tmp_path, sample_run.summary(load=False), RunFile(tmp_path))
