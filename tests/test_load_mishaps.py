"""What befalls a load from outside: a full disk, a closed terminal, a killed parent, no open files left.

A full disk is a limit on the size of one process's files, set in the middle (prlimit(2), RLIMIT_FSIZE).
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from loaded import good_answer, load_of, plan_of, serving, target_of, until
from test_cli_commands import SCRIPT, cli, summary
from testcard.cli.conclusion import conclude, failed
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.runfile import NAME, Footer, Header, RunWriter
from testcard.load import Generator
from testcard.load import conclude as conclude_load
from testcard.load.generator import WorkerReport
from testcard.load.launch import LOG
from testcard.mock_server import MockSettings, running

PLAN = ("--rate", "40", "--duration", "10m", "--warmup", "0s", "--size", "512x512", "--out", "run")
"""Longer than any test: it ends because of what befalls it."""


@contextmanager
def loading(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A `testcard load` of the mock of which ten records are on disk."""
    private = folder / "tmp"
    private.mkdir()
    with running(MockSettings(latency_median_s=0.02, rpm=1_000_000, burst=1)) as base_url:
        process = subprocess.Popen(
            [SCRIPT, "load", "--target", "mock", "--base-url", base_url, *PLAN], cwd=folder,
            env={**os.environ, "TMPDIR": str(private), "COLUMNS": "1000"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            path = folder / "run" / NAME
            until(
                lambda: path.is_file() and path.read_bytes().count(b'{"kind":"record"') >= 10, lambda: None, most_s=90
            )
            assert process.poll() is None, process.communicate()
            yield process
        finally:
            process.kill()
            process.communicate()


def test_a_full_disk_ends_a_load_with_5_and_what_was_recorded(tmp_path: Path) -> None:
    """The records' file cannot grow: workers go, what is there is concluded and printed, and can be reported later."""
    with loading(tmp_path) as process:
        size = (tmp_path / "run" / NAME).stat().st_size + 300  # in the middle of a line
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
        out, err = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "Traceback" not in out + err
    assert "ERROR  run/records.jsonl cannot be written: File too large; run/summary.json cannot be" in out
    assert "what was recorded stands below" in out
    assert "service" in out  # the figures
    assert list((tmp_path / "tmp").iterdir()) == []
    told = summary(cli(tmp_path, "report", "run", "--json").stdout)
    assert (told["verdict"], told["ended"]) == ("inconclusive", "cut-off")
    assert told["load"]["arrivals"]["answered"] >= 10
    assert (tmp_path / "run" / "report.html").is_file()


def test_who_reads_and_who_watches_may_go(tmp_path: Path) -> None:
    """Its output's reader goes (`| head -1`), then its terminal is closed: the load ends as interrupted, reported."""
    with loading(tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "testcard" in process.stdout.readline()
        process.stdout.close()
        process.send_signal(signal.SIGHUP)
        said = process.stderr.read()
        assert process.wait(60) == 130
        process.stdout = None
    assert said == ""
    told = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert (told["exit_code"], told["headline"]) == (130, "stopped by SIGHUP: its terminal was closed")
    assert "died" not in " ".join(told["load"]["notes"])
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_killed_parent_leaves_no_worker_and_a_run_that_can_be_reported(tmp_path: Path) -> None:
    """kill -9 of the command itself: its workers end and clear up, and the run was cut off after so many requests."""
    with loading(tmp_path) as process:
        assert _works_in(tmp_path / "tmp")
        process.kill()
        until(lambda: not _works_in(tmp_path / "tmp"), lambda: None)
        assert _works_in(tmp_path / "tmp") == []
        assert list((tmp_path / "tmp").iterdir()) == []
    done = cli(tmp_path, "report", "run", "--json")
    told = summary(done.stdout)
    assert (told["exit_code"], told["ended"]) == (4, "cut-off")
    assert told["headline"].startswith("the run was cut off after ")


def _works_in(folder: Path) -> list[int]:
    """The processes that work there."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink().is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_output_that_nobody_can_take() -> None:
    """A reader that has gone changes no exit code; a full disk behind standard output is an error of ours, said so."""
    ours, theirs = os.pipe()
    os.close(ours)
    gone = subprocess.run([SCRIPT, "explain", "3"], stdout=theirs, stderr=subprocess.PIPE, text=True, check=False)
    os.close(theirs)
    assert (gone.returncode, gone.stderr) == (0, "")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([SCRIPT, "targets"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr == "testcard: standard output cannot be written: No space left on device\n"


def _run(folder: Path, *records: Record) -> None:
    plan = plan_of(target_of("http://127.0.0.1:9/v1"), rate_per_s=10, duration_s=1.0)
    header = Header("0", "load", "", target_of("http://127.0.0.1:9/v1").describe(), 1, load=plan.to_json())
    with RunWriter(folder, header, Redactor(())) as writer:
        for record in records:
            writer.add(record)
        writer.end(Footer("complete", "", writer.records))
    Generator(cores=2, workers=(WorkerReport(0, complete=True),)).write(folder)


_SENT = Record(1, "load", "measured", "", "POST", "", status=401, planned_s=0.1, sent_s=0.1, outcome="refused")

NO_PICTURE: list[tuple[list[Record], str]] = [
    # a wrong key
    ([_SENT, _SENT], "2 of 2 ended with 401"),
    # TLS spoken to a plain port
    ([replace(_SENT, status=None, failure="tls: wrong version", outcome="broken")], "1 of 1 ended with tls: wrong"),
    # the most frequent of several
    ([_SENT, *[replace(_SENT, status=404)] * 2], "2 of 3 ended with 404"),
]  # fmt: skip


@pytest.mark.parametrize(("records", "sentence"), NO_PICTURE)
def test_a_load_that_got_no_picture_says_what_it_got(records: list[Record], sentence: str, tmp_path: Path) -> None:
    """Nothing was answered with a 2xx: no verdict, and the headline names what came instead."""
    _run(tmp_path, *records)
    told = conclude(tmp_path)
    assert told.exit_code == 3
    assert sentence in told.headline


def test_what_cannot_be_written_down_is_an_error_that_says_what_was_found(tmp_path: Path) -> None:
    """Summary or report do not fit on the disk: 5, with the sentence of why and the verdict that would have been."""
    _run(tmp_path, replace(_SENT, status=200, outcome="valid", last_byte_s=0.2))
    told = failed(conclude(tmp_path), "run/report.html cannot be written: No space left on device")
    assert (told.verdict, told.exit_code, told.ended) == ("error", 5, "error")
    assert told.headline.startswith("run/report.html cannot be written: No space left on device; what it had found: ")


def test_no_more_arrivals_are_under_way_than_files_may_be_open() -> None:
    """Of 64 open files about 40 are left for connections, two each; the limit is raised as far as one may."""
    code = (
        "import resource as r; from testcard.load.worker.openfiles import arrivals_at_once as most\n"
        "r.setrlimit(r.RLIMIT_NOFILE, (32, 64)); print(most(2), r.getrlimit(r.RLIMIT_NOFILE)[0], most(1000))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    few, limit, one = map(int, done.stdout.split())
    assert 8 <= few <= 22
    assert (limit, one) == (64, 1)


def test_what_was_dropped_for_want_of_open_files_is_said_to_be_ours() -> None:
    """Dropped arrivals were never under way: no saturation is read off them, and the note names the limit."""
    plan = plan_of(target_of("http://127.0.0.1:9/v1"), rate_per_s=100, duration_s=10.0)
    records = [
        replace(
            _SENT, number=index + 1, planned_s=index / 100, stage="steady", status=200,
            **({"outcome": "valid", "sent_s": index / 100, "last_byte_s": index / 100 + 0.2} if index % 10 == 0
               else {"outcome": "dropped", "sent_s": None, "failure": "not sent: the in-flight cap of 3 was reached"}),
        )
        for index in range(1000)
    ]  # fmt: skip
    generator = Generator(cores=2, workers=(WorkerReport(0, complete=True, in_flight_cap=3),))
    load = conclude_load(plan, records, generator=generator)
    assert load.behaviour is None or load.behaviour.saturation is None
    assert "900 arrivals were dropped: 3 were under way already, and this machine allows no more open" in load.notes[1]


@pytest.mark.parametrize(
    ("failure", "validity"),
    [
        (f"connect: [Errno {errno.EADDRNOTAVAIL}] Cannot assign requested address", "generator-busy"),
        (f"connect: [Errno {errno.ECONNREFUSED}] Connection refused", "ok"),
    ],
)
def test_a_machine_without_ports_left_certifies_nothing(failure: str, validity: str) -> None:
    """What our own machine had no port for is no fault of the server's; a refused connection is none of ours."""
    plan = plan_of(target_of("http://127.0.0.1:9/v1"), rate_per_s=100, duration_s=1.0)
    good = replace(_SENT, status=200, outcome="valid", last_byte_s=0.2)
    bad = replace(_SENT, status=None, outcome="broken", failure=failure)
    load = conclude_load(plan, [*[good] * 99, bad], generator=Generator(cores=2, workers=(WorkerReport(0, True),)))
    assert load.validity == validity


_PLANTED = """
import testcard.load.handover as handover
whole = handover.frame
def frame(delivery):
    if delivery.arrival == 9:
        raise RuntimeError("planted by a test")
    return whole(delivery)
handover.frame = frame
"""


def test_an_error_of_ours_on_the_event_loop_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for an arrival that cannot end any more: the run stops, says so, and keeps what was printed."""
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_PLANTED, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    with serving(good_answer) as served:
        target = target_of(served.base_url)
        loaded = load_of(plan_of(target, rate_per_s=20, duration_s=60.0), target, tmp_path)
    assert 9 <= sum(record.outcome == "valid" for record in loaded.records) < 600
    assert loaded.generator is not None
    assert loaded.generator.missing is not None
    assert "planted by a test" in (tmp_path / LOG).read_text(encoding="utf-8")
