"""A server's own word about its time: read leniently, shown beside what was seen, held against nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from loaded import good_answer, load_of, plan_of, serving, target_of
from testcard.core.exchange import Response
from testcard.core.record import Record
from testcard.core.servertiming import server_times, whole
from testcard.core.summary import LoadSummary
from testcard.core.target import Limit
from testcard.core.targetfile import profile_target
from testcard.load import conclude
from testcard.load.servertiming import ServerTimes
from testcard.mock_server import MockSettings, running
from testcard.reports.breakdown import tables

READ: list[tuple[list[tuple[str, str]], dict[str, float] | None]] = [
    # none of these headers
    ([("Date", "today")], None),
    # the example of the specification, over several lines; a metric without a duration is left out
    (
        [("Server-Timing", "miss, db;dur=53, app;dur=47.2"), ("server-timing", 'dc;desc=atl, cache;desc="R";dur=23.2')],
        {"db": 0.053, "app": 0.0472, "cache": 0.0232},
    ),
    # separators and quotes inside of a description
    ([("Server-Timing", r'a;desc="x, y;dur=9 \" z";dur=1, b;DUR = 2')], {"a": 0.001, "b": 0.002}),
    # a number in quotes, one with a unit, one in powers of ten
    ([("Server-Timing", 'a;dur="1.5", b;dur=2ms, c;dur=1e3')], {"a": 0.0015, "b": 0.002, "c": 1.0}),
    # the first of several durations counts, even where it is none
    ([("Server-Timing", "a;dur=1;dur=2, b;dur=x;dur=2")], {"a": 0.001}),
    # one name several times: the longest
    ([("Server-Timing", "db;dur=5, db;dur=7"), ("Server-Timing", "db;dur=6")], {"db": 0.007}),
    # OpenAI's header, and the one of others
    (
        [("openai-processing-ms", "1234"), ("X-Processing-Ms", " 7.5 ")],
        {"openai-processing-ms": 1.234, "x-processing-ms": 0.0075},
    ),
    # nothing that could be a time: not a number, infinite, beyond every float, negative, years, other digits
    ([("Server-Timing", "a;dur=NaN, b;dur=inf, c;dur=1e999, d;dur=-1, e;dur=1e12, f;dur=٣, g;dur=, h;dur")], None),
    ([("openai-processing-ms", "soon")], None),
    # names that are none, or of ten thousand characters
    ([("Server-Timing", "ü;dur=1, a b;dur=1, ;dur=1, " + "n" * 10_000 + ";dur=1")], None),
    # a quote that is never closed, a backslash at the end, separators only
    (
        [("Server-Timing", 'a;dur=1, b;desc="x, c;dur=3'), ("Server-Timing", 'd;desc="\\'), ("Server-Timing", ",;,;")],
        {"a": 0.001},
    ),
    # numbers as long as a header
    ([("Server-Timing", f"a;dur={'9' * 4000}")], None),
    # too many: the first eight, and the whole
    (
        [("Server-Timing", ", ".join([*(f"m{n};dur=1" for n in range(500)), "total;dur=2"]))],
        {f"m{n}": 0.001 for n in range(8)},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "told"), READ)
def test_what_is_read_of_the_headers(headers: list[tuple[str, str]], told: dict[str, float] | None) -> None:
    """Metrics and their durations by name, in seconds; what cannot be read is passed over without a word."""
    found = server_times(Response(200, tuple(headers), b""))
    if told is not None and found is not None and "total" in found:
        assert found.pop("total") == 0.002
    assert found == told
    assert len(json.dumps(found, allow_nan=False)) < 1000


WHOLE: list[tuple[dict[str, float], tuple[str | None, float]]] = [
    # a metric of that name, however spelt
    ({"db": 3.0, "Total": 2.0, "openai-processing-ms": 1.0}, ("total", 2.0)),
    # a header that says it
    ({"db": 3.0, "x-processing-ms": 1.0, "openai-processing-ms": 2.0}, ("openai-processing-ms", 2.0)),
    # parts may overlap: not their sum
    ({"db": 3.0, "app": 5.0}, (None, 5.0)),
]


@pytest.mark.parametrize(("times", "meant"), WHOLE)
def test_what_stands_for_all_of_a_servers_time(times: dict[str, float], meant: tuple[str | None, float]) -> None:
    """`total`, else a header that says so, else the longest part; parts are never added up."""
    assert whole(times) == meant


def _record(number: int, server_s: dict[str, float] | None, service_s: float = 0.1, outcome: str = "valid") -> Record:
    return Record(
        number, "load", "measured", "", "POST", "", planned_s=0.0, sent_s=1.0, last_byte_s=1.0 + service_s,
        outcome=outcome, server_s=server_s,
    )  # fmt: skip


def test_names_are_bounded_and_the_frequent_ones_shown() -> None:
    """A server that invents a name an answer costs a hundred of them, and hides neither `total` nor what is usual."""
    seen = ServerTimes()
    for number in range(5000):
        seen.add(_record(number, {"db": 0.03, f"n{number}": 0.01, **({"total": 0.05} if number >= 2000 else {})}))
    timing = seen.timing()
    assert timing is not None
    assert [(metric.name, metric.answers) for metric in timing.metrics[:2]] == [("db", 5000), ("total", 3000)]
    assert len(timing.metrics) == 8
    assert len(seen._spans) <= 102
    assert timing.compared == "total"


def test_only_good_answers_count_and_are_compared_one_by_one() -> None:
    """Shares are of answers with a 2xx; the difference is taken answer by answer, not between quantiles."""
    seen = ServerTimes()
    for told, service in ((0.01, 0.11), (0.09, 0.10), (0.02, 0.03)):
        seen.add(_record(1, {"total": told}, service))
    seen.add(_record(2, None))
    seen.add(_record(3, {"total": 9.0}, outcome="server-error"))
    timing = seen.timing()
    assert timing is not None
    assert (timing.answers, timing.share, timing.overclaimed) == (3, 0.75, 0)
    assert timing.unaccounted_s == {"p50": 0.01, "p95": 0.1, "max": 0.1}
    assert timing.service_s["p50"] == 0.1


def test_a_load_shows_what_the_mock_says_of_itself(tmp_path: Path) -> None:
    """The mock tells its times truthfully: they lie within what was seen, and the queue within the whole."""
    with running(MockSettings(server_timing=True, rpm=100_000, latency_median_s=0.02, capacity=1)) as base_url:
        target = replace(profile_target("mock"), base_url=base_url, limit=Limit(100_000))
        loaded = load_of(plan_of(target, rate_per_s=40, duration_s=0.5, size="512x512"), target, tmp_path)
    load = conclude(loaded.plan.to_json(), loaded.records, generator=loaded.generator)
    assert load.outcomes["valid"] == 20, loaded.records
    for record in loaded.records:
        assert record.server_s is not None
        assert record.headers == ()  # what is kept of a usual answer is small
        assert record.server_s["queue"] + record.server_s["generate"] <= record.server_s["total"] + 2e-6
        assert record.server_s["total"] <= (record.last_byte_s or 0) - (record.sent_s or 0)
    timing = load.server_timing
    assert timing is not None
    assert (timing.answers, timing.share, timing.compared, timing.overclaimed) == (20, 1.0, "total", 0)
    assert {metric.name for metric in timing.metrics} == {"queue", "generate", "total"}
    assert 0 < timing.unaccounted_s["p50"] < timing.service_s["p50"]
    _shown(load, ("queue", "generate", "total", "not accounted for"))


def test_a_server_that_claims_too_much_gets_a_note_and_no_accusation(tmp_path: Path) -> None:
    """Hours in OpenAI's header, rubbish in the other: every answer is valid, and a note says what to mind."""
    junk = "x" * 5000
    head = (
        f'openai-processing-ms: 3600000\r\nServer-Timing: {junk};dur=1, a;dur=NaN;desc="\r\nserver-timing: b;dur=1\r\n'
    )

    def answer(index: int) -> bytes:
        return good_answer(index).replace(b"Content-Type", head.encode() + b"Content-Type", 1)

    with serving(answer) as served:
        target = target_of(served.base_url)
        loaded = load_of(plan_of(target, rate_per_s=40, duration_s=0.25), target, tmp_path)
    load = conclude(loaded.plan.to_json(), loaded.records, generator=loaded.generator)
    assert load.outcomes["valid"] == 10
    assert all(record.server_s == {"openai-processing-ms": 3600.0, "b": 0.001} for record in loaded.records)
    assert any("In 10 of 10 answers the server claims more time than the whole" in note for note in load.notes)
    _shown(load, ("openai-processing-ms", "b", "not accounted for"))


def _shown(load: LoadSummary, names: tuple[str, ...]) -> None:
    (table,) = [table for table in tables(load) if table.title == "What the server says of its time"]
    assert set(names) <= {row[0] for row in table.rows}
    assert all(len(row) == len(table.head) for row in table.rows)
