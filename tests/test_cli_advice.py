"""What the verdict on a load says in words: a refuted bound is something to do, a late generator no want of samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loaded import plan_of, target_of
from testcard.cli.conclusion import conclude
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.runfile import NAME, Footer, Header, RunFile, RunWriter
from testcard.core.summary import Summary
from testcard.load import Generator
from testcard.load.generator import WorkerReport
from testcard.reports import render

_TARGET = target_of("http://127.0.0.1:9/v1")
_GOOD = Record(
    1, "load", "measured", "", "POST", "", status=200, images=1, outcome="valid",
    planned_s=1.0, sent_s=1.0, first_byte_s=1.1, last_byte_s=1.2,
)  # fmt: skip
_LIMITED = replace(_GOOD, status=429, images=0, outcome="limited")


def _told(folder: Path, records: list[Record], bound_s: float | None) -> Summary:
    """The conclusion of a load of these records, with a p90 to certify or without one."""
    slo = {"quantile": 0.9, "bound_s": bound_s, "size": None, "confidence": 0.95}
    header = Header(
        "0", "load", "", _TARGET.describe(), 1, load=plan_of(_TARGET, rate_per_s=60, duration_s=1.0).to_json(),
        options={"slos": [slo] if bound_s is not None else []},
    )  # fmt: skip
    with RunWriter(folder, header, Redactor(())) as writer:
        for number, record in enumerate(records, 1):
            writer.add(replace(record, number=number))
        writer.end(Footer("complete", "", writer.records))
    Generator(cores=2, workers=(WorkerReport(0, complete=True),)).write(folder)
    return conclude(folder)


def test_a_refuted_slo_is_something_to_do(tmp_path: Path) -> None:
    """The advice names the SLO and how many were late, and the page never says that everything holds."""
    told = _told(tmp_path, [_GOOD] * 60, 0.1)
    assert told.exit_code == 1
    (advice,) = (text for text in told.advice if "is refuted" in text)
    assert "60 of 60 arrivals" in advice
    for summary in (told, replace(told, advice=())):
        render(tmp_path, summary, RunFile(tmp_path))
        assert "everything that was asked for holds" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_late_generator_is_not_called_too_few_samples(tmp_path: Path) -> None:
    """Sixty arrivals would do; that they left late is why nothing is certified, and the headline says so."""
    told = _told(tmp_path, [replace(_GOOD, sent_s=1.15)] * 60, 5.0)
    assert told.exit_code == 4
    assert "generator-late" in told.headline
    assert "too few samples" not in told.headline


@pytest.mark.parametrize("bound_s", [None, 5.0])
def test_a_load_that_was_mostly_refused_says_so(tmp_path: Path, bound_s: float | None) -> None:
    """Nobody asked for a bound, so the run is kept; that half of it got a 429 stands in the headline all the same."""
    told = _told(tmp_path, [_GOOD, _LIMITED] * 30, bound_s)
    if bound_s is None:
        assert told.exit_code == 0
        assert "30 of 60 arrivals were answered without a picture (limited 30)" in told.headline
        assert any("--slo" in text for text in told.advice)
    else:
        assert told.exit_code == 1


def test_a_kept_run_has_nothing_to_do(tmp_path: Path) -> None:
    """Where all were answered with a picture nothing is added."""
    told = _told(tmp_path, [_GOOD] * 60, None)
    assert told.exit_code == 0
    assert "without a picture" not in told.headline
    assert not told.advice


def test_a_damaged_record_is_missed(tmp_path: Path) -> None:
    """The footer says how many there were: a verdict does not rest on what is left without a word."""
    _told(tmp_path, [_GOOD] * 60, None)
    path = tmp_path / NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], b"x" + lines[5], *lines[6:]]))
    told = conclude(tmp_path)
    assert told.exit_code == 4
    assert "is damaged: 1 of its 60 records cannot be read" in told.headline
