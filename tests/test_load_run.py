"""Loads against real servers on loopback: nothing lost, nothing invented, no key anywhere."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from testcard.core.budget import Budget
from testcard.core.errors import BudgetExhausted, TestcardError, UsageError
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.runfile import Footer, Header, RunFile, RunWriter
from testcard.core.target import Keyring, Limit, Target
from testcard.core.targetfile import profile_target
from testcard.load import Generator, LoadPlan, Progress, conclude, plan_load, run
from testcard.mock_server import MockSettings, running

KEY = "sk-test-0123456789-secret"
SIZE = "64x48"


def _png(width: int, height: int, colour: int) -> bytes:
    picture = Image.effect_noise((width, height), 50).convert("RGB")
    picture.putpixel((0, 0), (colour % 256, colour // 256 % 256, 1))
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def _answer(body: dict[str, Any], status: str = "200 OK", head: str = "") -> bytes:
    data = json.dumps(body).encode()
    lines = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{head}Content-Length: {len(data)}\r\n\r\n"
    return lines.encode() + data


def _good(index: int) -> bytes:
    picture = base64.b64encode(_png(64, 48, index)).decode()
    return _answer({"created": int(time.time()), "data": [{"b64_json": picture}]})


@dataclass
class Served:
    """A server that answers each arrival by its index, and what it saw."""

    answer: Callable[[int], bytes | None]
    """The bytes to send; None: hang up with a reset."""
    base_url: str = ""
    seen: list[int] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, index: int) -> None:
        with self.lock:
            self.seen.append(index)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)

    def leave(self) -> None:
        with self.lock:
            self._now -= 1


@contextmanager
def serving(answer: Callable[[int], bytes | None]) -> Iterator[Served]:
    """Serve `answer` on loopback for as long as the block runs."""
    served = Served(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            match = re.search(r"variation (\d+)-", body["prompt"])
            index = int(match[1]) if match else -1
            served.enter(index)
            try:
                data = served.answer(index)
            finally:
                served.leave()
            if data is None:
                linger = struct.pack("ii", 1, 0)  # close with a reset
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                return
            try:
                self.wfile.write(data)
            except OSError:
                self.close_connection = True
            if not data.endswith(b"}"):
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    served.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _target(base_url: str, **fields: Any) -> Target:
    declared: dict[str, Any] = {
        "model": "m",
        "dialect": "openai",
        "sizes": (SIZE,),
        "default_size": SIZE,
        "default_response_format": "b64_json",
        "timeout_s": 10.0,
    }
    return Target(base_url, **(declared | fields))


@dataclass
class Loaded:
    """What a run left behind."""

    records: list[Record]
    generator: Generator | None
    plan: LoadPlan
    directory: Path

    @property
    def arrivals(self) -> dict[str, int]:
        load = conclude(self.plan.to_json(), self.records, generator=self.generator)
        assert load.arrivals["planned"] == load.arrivals["sent"] + load.arrivals["dropped"]
        assert load.arrivals["sent"] == load.arrivals["answered"] + load.arrivals["lost"]
        return load.arrivals


def _load(
    plan: LoadPlan,
    target: Target,
    directory: Path,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    budget: Budget | None = None,
    started: float | None = None,
    sent: tuple[float, ...] = (),
) -> Loaded:
    """Run a plan, however it ends, and read back what it wrote."""
    keyring = Keyring(target, {"TESTCARD_API_KEY": KEY})
    redactor = Redactor(keyring.values)
    with RunWriter(directory, Header("0", "load", "", target.describe(), 1, load=plan.to_json()), redactor) as writer:
        run(
            plan,
            target,
            keyring,
            directory=directory,
            writer=writer,
            redactor=redactor,
            budget=budget or Budget(),
            started=time.monotonic() if started is None else started,
            first_number=7,
            sent=sent,
            on_progress=on_progress,
        )
        writer.end(Footer("complete", "", writer.records))
    return _read(plan, directory)


def _read(plan: LoadPlan, directory: Path) -> Loaded:
    return Loaded(list(RunFile(directory).records()), Generator.read(directory), plan, directory)


def _plan(target: Target, **options: Any) -> LoadPlan:
    settings: dict[str, Any] = {"warmup_s": 0.0, "arrivals": "constant"}
    return plan_load(target, **(settings | options))


def _workers() -> list[int]:
    """The processes of our own loads that dispatch: children of this process that run Locust, and their forks."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    locust = {int(pid): int(ppid) for pid, ppid, args in rows if "-m locust" in args}
    ours = [pid for pid, ppid in locust.items() if ppid == os.getpid()]
    return [pid for pid, ppid in locust.items() if ppid in ours] or ours


def test_every_answer_lands_in_its_outcome(tmp_path: Path) -> None:
    """Good, bad, refused, failed, cut, hung and reset: each arrival has exactly one outcome, and the sums hold."""
    hang = threading.Event()

    def answer(index: int) -> bytes | None:
        kinds: dict[int, Callable[[], bytes | None]] = {
            0: lambda: _good(index),
            1: lambda: _answer(
                {"error": {"message": "slow down", "type": "x"}}, "429 Too Many Requests", "Retry-After: 1\r\n"
            ),
            2: lambda: _answer({"error": {"message": "broken", "type": "x"}}, "500 Internal Server Error"),
            3: lambda: _answer({"error": {"message": "no", "type": "x"}}, "404 Not Found"),
            4: lambda: None,
            5: lambda: _good(index)[:-20],  # fewer bytes than Content-Length says
            6: lambda: _answer({"created": 1, "data": [{"b64_json": base64.b64encode(_png(32, 32, index)).decode()}]}),
            7: lambda: (hang.wait(20) and None) or None,
            8: lambda: b"\x00\x01\x02 this is not HTTP\r\n\r\n",
            9: lambda: _answer({}, "302 Found", "Location: /v1/elsewhere\r\n"),
        }
        return kinds[index % 10]()

    with serving(answer) as served:
        target = _target(served.base_url, timeout_s=1.0)
        loaded = _load(_plan(target, rate_per_s=40, duration_s=1.0), target, tmp_path)
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
        return _good(index)

    with serving(answer) as served:
        target = _target(served.base_url)

        def open_when_all_are_there(progress: Progress) -> None:
            if len(served.seen) >= 60 and not gate.is_set():
                assert progress.done == 0
                gate.set()

        watcher = threading.Thread(target=_until, args=(lambda: len(served.seen) >= 60, gate.set), daemon=True)
        watcher.start()
        plan = _plan(target, rate_per_s=60, duration_s=1.0, processes=3, arrivals="poisson")
        loaded = _load(plan, target, tmp_path, on_progress=open_when_all_are_there)
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


def _until(condition: Callable[[], bool], then: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    then()


def test_arrivals_beyond_the_cap_are_dropped_and_counted(tmp_path: Path) -> None:
    """With 4 allowed under way and a server that stands still, the rest is recorded as dropped, and never sent."""
    gate = threading.Event()

    def answer(index: int) -> bytes:
        gate.wait(20)
        return _good(index)

    with serving(answer) as served:
        target = _target(served.base_url)

        def open_late(progress: Progress) -> None:
            if progress.dropped >= 26:
                gate.set()

        loaded = _load(
            _plan(target, rate_per_s=30, duration_s=1.0, in_flight_cap=4), target, tmp_path, on_progress=open_late
        )
    assert loaded.arrivals == {"planned": 30, "sent": 4, "dropped": 26, "answered": 4, "lost": 0}
    assert served.most_at_once == len(served.seen) == 4
    dropped = [record for record in loaded.records if record.outcome == "dropped"]
    assert all(record.sent_s is None and "in-flight cap of 4" in (record.failure or "") for record in dropped)


def test_a_killed_worker_costs_its_own_arrivals_and_the_run_says_so(tmp_path: Path) -> None:
    """kill -9 of one of two workers: the other goes on, every arrival is accounted for, the notes name the dead one."""
    killed = threading.Event()

    def answer(index: int) -> bytes:
        if index >= 20:
            killed.wait(20)  # so that some are under way when it dies
        return _good(index)

    def kill_one() -> None:
        os.kill(_workers()[0], signal.SIGKILL)
        killed.set()

    with serving(answer) as served:
        target = _target(served.base_url)
        killer = threading.Thread(target=_until, args=(lambda: len(served.seen) >= 30, kill_one), daemon=True)
        killer.start()
        loaded = _load(_plan(target, rate_per_s=50, duration_s=1.5, processes=2), target, tmp_path)
        killer.join()
    arrivals = loaded.arrivals
    assert arrivals["planned"] == len(loaded.records) == 75
    assert arrivals["dropped"] > 0
    assert arrivals["lost"] > 0
    assert loaded.generator is not None
    dead = [worker.worker for worker in loaded.generator.workers if not worker.complete]
    assert len(dead) == 1
    missing = [record for record in loaded.records if record.outcome in ("lost", "dropped")]
    assert {record.worker for record in missing} == set(dead)
    assert any(f"Worker {dead[0]} died" in note for note in loaded.generator.notes)
    # What it had answered before is there: the first 20 were, half of them its own.
    assert sum(1 for r in loaded.records if r.worker == dead[0] and r.outcome == "valid") >= 9
    # Sent as the server saw it, but for what was on its way into the socket.
    assert abs(arrivals["sent"] - len(served.seen)) <= 1


def test_ctrl_c_keeps_what_was_recorded_and_leaves_no_process(tmp_path: Path) -> None:
    """Interrupted in the middle: the error goes on, the records stay, the workers are gone, the sums hold."""

    def interrupt(progress: Progress) -> None:
        if progress.done >= 10:
            raise KeyboardInterrupt

    with serving(_good) as served:
        target = _target(served.base_url)
        plan = _plan(target, rate_per_s=20, duration_s=30.0)
        budget = Budget(images=600)
        with pytest.raises(KeyboardInterrupt):
            _load(plan, target, tmp_path, on_progress=interrupt, budget=budget)
        assert _workers() == []
        loaded = _read(plan, tmp_path)
        arrivals = loaded.arrivals
        assert 10 <= arrivals["answered"] <= arrivals["planned"] < 200
        assert abs(arrivals["sent"] - len(served.seen)) <= 1
    assert budget.spent == arrivals["answered"]
    assert budget.left == 600 - budget.spent
    load = conclude(plan.to_json(), loaded.records, generator=loaded.generator)
    assert any("of 600 arrivals" in note for note in load.notes)


def test_a_killed_judge_costs_what_it_had_and_the_run_says_so(tmp_path: Path) -> None:
    """kill -9 of the judging process: nothing more is sent, each arrival has an outcome, and the loss is told."""

    def kill_judge(progress: Progress) -> None:
        if progress.valid >= 10:
            listing = subprocess.run(
                ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
            ).stdout
            rows = [line.split(None, 2) for line in listing.splitlines()]
            for pid, ppid, args in rows:
                if "testcard.load.judging" in args and int(ppid) in _workers():
                    os.kill(int(pid), signal.SIGKILL)

    with serving(_good) as served:
        target = _target(served.base_url)
        plan = _plan(target, rate_per_s=20, duration_s=3.0)
        loaded = _load(plan, target, tmp_path, on_progress=kill_judge)
    assert loaded.arrivals["planned"] == len(loaded.records) == 60
    assert loaded.arrivals["answered"] >= 10
    assert loaded.arrivals["dropped"] > 0
    assert loaded.generator is not None
    assert "The judging process of worker 0 died" in (loaded.generator.missing or "")


def test_a_server_that_ends_in_the_middle_breaks_what_follows(tmp_path: Path) -> None:
    """The server goes while arrivals are due: those after it are recorded as broken, none is lost or dropped."""
    with serving(_good) as served:
        target = _target(served.base_url)
        plan = _plan(target, rate_per_s=20, duration_s=2.0)

        def stop(progress: Progress) -> None:
            if progress.valid >= 10:
                served.answer = lambda _: None

        loaded = _load(plan, target, tmp_path, on_progress=stop)
    assert loaded.arrivals == {"planned": 40, "sent": 40, "dropped": 0, "answered": 40, "lost": 0}
    outcomes = [record.outcome for record in sorted(loaded.records, key=lambda record: record.number)]
    assert set(outcomes) == {"valid", "broken"}
    assert outcomes[-1] == "broken"


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
        return _answer({"error": {"message": f"bad key {KEY}", "type": "x"}}, "401 Unauthorized", head)

    with serving(answer) as served:
        target = _target(served.base_url)
        loaded = _load(_plan(target, rate_per_s=10, duration_s=1.0), target, tmp_path)
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
    with serving(_good) as served:
        target = _target(served.base_url)
        with pytest.raises(BudgetExhausted):
            _load(_plan(target, rate_per_s=10, duration_s=1.0), target, tmp_path, budget=Budget(images=9))
        assert served.seen == []


def test_a_generator_that_does_not_start_says_why(tmp_path: Path) -> None:
    """A process that fails before the start ends the run with its last words, keeps its log, and leaves nobody."""
    target = _target("http://127.0.0.1:9/v1", dialect="klingon")  # the judging process knows no such contract
    with pytest.raises(TestcardError, match="did not start"):
        _load(_plan(target, rate_per_s=10, duration_s=1.0), target, tmp_path)
    assert "Traceback" in (tmp_path / "load-generator.log").read_text(encoding="utf-8")
    assert _workers() == []


def test_a_header_without_its_variable_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would stop every worker is a usage error before any starts."""
    monkeypatch.delenv("TESTCARD_TEAM", raising=False)
    target = _target("http://127.0.0.1:9/v1", headers={"x-team": "env:TESTCARD_TEAM"})
    with pytest.raises(UsageError, match="TESTCARD_TEAM"):
        _load(_plan(target, rate_per_s=10, duration_s=1.0), target, tmp_path)


def test_the_mock_is_loaded_with_pictures_by_url(tmp_path: Path) -> None:
    """The bundled mock's default form: every picture is fetched, without a key, and is valid."""
    with running(MockSettings(latency_median_s=0.02, rpm=10_000, burst=1)) as base_url:
        target = replace(profile_target("mock"), base_url=base_url, limit=Limit(10_000))
        plan = _plan(target, rate_per_s=20, duration_s=1.0, warmup_s=0.5, size="512x512")
        loaded = _load(plan, target, tmp_path)
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
