"""Loads against real servers on loopback: nothing lost, nothing invented, no key anywhere."""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from loaded import (
    KEY,
    good_answer,
    load_of,
    plan_of,
    png,
    raw_answer,
    serving,
    target_of,
    until,
)
from testcard.core.budget import Budget
from testcard.core.errors import BudgetExhausted, UsageError
from testcard.core.target import Limit
from testcard.core.targetfile import profile_target
from testcard.load import Progress
from testcard.mock_server import MockSettings, running


def test_every_answer_lands_in_its_outcome(tmp_path: Path) -> None:
    """Good, bad, refused, failed, cut, hung and reset: each arrival has exactly one outcome, and the sums hold."""
    hang = threading.Event()

    def answer(index: int) -> bytes | None:
        kinds: dict[int, Callable[[], bytes | None]] = {
            0: lambda: good_answer(index),
            1: lambda: raw_answer(
                {"error": {"message": "slow down", "type": "x"}}, "429 Too Many Requests", "Retry-After: 1\r\n"
            ),
            2: lambda: raw_answer({"error": {"message": "broken", "type": "x"}}, "500 Internal Server Error"),
            3: lambda: raw_answer({"error": {"message": "no", "type": "x"}}, "404 Not Found"),
            4: lambda: None,
            5: lambda: good_answer(index)[:-20],  # fewer bytes than Content-Length says
            6: lambda: raw_answer(
                {"created": 1, "data": [{"b64_json": base64.b64encode(png(32, 32, index)).decode()}]}
            ),
            7: lambda: (hang.wait(20) and None) or None,
            8: lambda: b"\x00\x01\x02 this is not HTTP\r\n\r\n",
            9: lambda: raw_answer({}, "302 Found", "Location: /v1/elsewhere\r\n"),
        }
        return kinds[index % 10]()

    with serving(answer) as served:
        target = target_of(served.base_url, timeout_s=1.0)
        loaded = load_of(plan_of(target, rate_per_s=40, duration_s=1.0), target, tmp_path)
        hang.set()
    kinds = [
        "valid",
        "limited",
        "server-error",
        "refused",
        "broken",
        "broken",
        "invalid",
        "timeout",
        "broken",
        "refused",
    ]
    assert sorted(record.number for record in loaded.records) == list(range(7, 47))
    for record in loaded.records:
        assert record.outcome == kinds[(record.number - 7) % 10], record
    assert loaded.arrivals == {"planned": 40, "sent": 40, "dropped": 0, "answered": 40, "lost": 0}
    # No retries, no redirects: the server saw every arrival once.
    assert sorted(served.seen) == list(range(40))
    valid = [record for record in loaded.records if record.outcome == "valid"]
    assert all(r.sent_s and r.first_byte_s and r.last_byte_s for r in valid)
    assert all(r.planned_s <= (r.sent_s or 0) <= (r.first_byte_s or 0) <= (r.last_byte_s or 0) for r in valid)


def test_arrivals_do_not_wait_for_answers_and_workers_share_them(tmp_path: Path) -> None:
    """While the server stands still, three workers go on sending on schedule; each arrival is sent by its own worker.

    A closed loop would have sent as many as it has users, and then waited.
    """
    gate = threading.Event()

    def answer(index: int) -> bytes:
        gate.wait(20)
        return good_answer(index)

    with serving(answer) as served:
        target = target_of(served.base_url)

        def open_when_all_are_there(progress: Progress) -> None:
            if len(served.seen) >= 60 and not gate.is_set():
                assert progress.done == 0
                gate.set()

        watcher = threading.Thread(target=until, args=(lambda: len(served.seen) >= 60, gate.set), daemon=True)
        watcher.start()
        plan = plan_of(target, rate_per_s=60, duration_s=1.0, processes=3, arrivals="poisson")
        loaded = load_of(plan, target, tmp_path, on_progress=open_when_all_are_there)
        watcher.join()
    assert served.most_at_once == 60
    assert sorted(served.seen) == list(range(60))
    assert loaded.arrivals == {"planned": 60, "sent": 60, "dropped": 0, "answered": 60, "lost": 0}
    assert all(record.worker == (record.number - 7) % 3 for record in loaded.records)
    planned = {record.number - 7: record.planned_s for record in loaded.records}
    offsets = [arrival.offset_s for arrival in plan.schedule()]
    assert [planned[i] - planned[0] for i in range(60)] == pytest.approx([o - offsets[0] for o in offsets], abs=1e-5)
    assert loaded.generator is not None
    assert [worker.sent for worker in loaded.generator.workers] == [20, 20, 20]
    # The wait is in the latency of the arrivals that waited, from the time at which they were due.
    spans = {r.number - 7: (r.last_byte_s or 0.0) - r.planned_s for r in loaded.records}
    assert spans[0] > spans[59] > 0


def test_arrivals_beyond_the_cap_are_dropped_and_counted(tmp_path: Path) -> None:
    """With 4 allowed under way and a server that stands still, the rest is recorded as dropped, and never sent."""
    gate = threading.Event()

    def answer(index: int) -> bytes:
        gate.wait(20)
        return good_answer(index)

    with serving(answer) as served:
        target = target_of(served.base_url)

        def open_late(progress: Progress) -> None:
            if progress.dropped >= 26:
                gate.set()

        loaded = load_of(
            plan_of(target, rate_per_s=30, duration_s=1.0, in_flight_cap=4), target, tmp_path, on_progress=open_late
        )
    assert loaded.arrivals == {"planned": 30, "sent": 4, "dropped": 26, "answered": 4, "lost": 0}
    assert served.most_at_once == len(served.seen) == 4
    dropped = [record for record in loaded.records if record.outcome == "dropped"]
    assert all(record.sent_s is None and "in-flight cap of 4" in (record.failure or "") for record in dropped)


def test_no_key_in_a_file_or_an_argument(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A server that echoes the key in every way: it stands neither in the run, nor on the terminal, nor in ps."""
    listings: list[str] = []
    folders: list[str] = []

    def answer(index: int) -> bytes:
        if index == 3:
            listings.append(subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout)
            # What the workers share lies in temporary folders of ours.
            shared = Path(tempfile.gettempdir()).glob("testcard-load-*/*")
            folders.extend(path.read_text(errors="replace") for path in shared)
        head = f"X-Echo: Bearer {KEY}\r\n"
        return raw_answer({"error": {"message": f"bad key {KEY}", "type": "x"}}, "401 Unauthorized", head)

    with serving(answer) as served:
        target = target_of(served.base_url)
        loaded = load_of(plan_of(target, rate_per_s=10, duration_s=1.0), target, tmp_path)
    assert len(loaded.records) == 10
    assert any("[redacted]" in (record.body or "") for record in loaded.records)
    written = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    terminal = capfd.readouterr()
    assert listings
    assert folders
    for text in (*written, *listings, *folders, terminal.out, terminal.err):
        assert KEY not in text
    assert (terminal.out, terminal.err) == ("", "")


def test_a_plan_over_the_budget_sends_nothing(tmp_path: Path) -> None:
    """The images are reserved before the first request; one too few, and none is sent."""
    with serving(good_answer) as served:
        target = target_of(served.base_url)
        with pytest.raises(BudgetExhausted):
            load_of(plan_of(target, rate_per_s=10, duration_s=1.0), target, tmp_path, budget=Budget(images=9))
        assert served.seen == []


def test_a_header_without_its_variable_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would stop every worker is a usage error before any starts."""
    monkeypatch.delenv("TESTCARD_TEAM", raising=False)
    target = target_of("http://127.0.0.1:9/v1", headers={"x-team": "env:TESTCARD_TEAM"})
    with pytest.raises(UsageError, match="TESTCARD_TEAM"):
        load_of(plan_of(target, rate_per_s=10, duration_s=1.0), target, tmp_path)


def test_the_mock_is_loaded_with_pictures_by_url(tmp_path: Path) -> None:
    """The bundled mock's default form: every picture is fetched, without a key, and is valid."""
    with running(MockSettings(latency_median_s=0.02, rpm=10_000, burst=1)) as base_url:
        target = replace(profile_target("mock"), base_url=base_url, limit=Limit(10_000))
        plan = plan_of(target, rate_per_s=20, duration_s=1.0, warmup_s=0.5, size="512x512")
        loaded = load_of(plan, target, tmp_path)
    assert loaded.arrivals == {"planned": 20, "sent": 20, "dropped": 0, "answered": 20, "lost": 0}
    assert [record.outcome for record in loaded.records] == ["valid"] * 30
    assert all((r.media_s or 0) > (r.last_byte_s or 0) and r.media_fetches == 1 for r in loaded.records)
    assert sum(record.phase == "warmup" for record in loaded.records) == 10
    held = [name for record in loaded.records for name in record.held]
    assert held
    assert len(held) == len(set(held))


def test_importing_load_imports_no_gevent() -> None:
    """Neither the room nor the command line imports locust or gevent, which would patch every socket."""
    code = (
        "import importlib, pkgutil, sys, testcard.cli, testcard.load, testcard.load.judging\n"
        "names = [module.name for module in pkgutil.iter_modules(testcard.cli.__path__)]\n"
        "modules = [importlib.import_module(f'testcard.cli.{name}') for name in names]\n"
        "assert len(modules) > 5\n"
        "print([m for m in sys.modules if m.partition('.')[0] in ('gevent', 'locust', 'geventhttpclient')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
