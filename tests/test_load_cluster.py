"""Loads from several hosts: a master and workers as processes of their own, on loopback addresses of their own."""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from testcard.core.errors import UsageError
from testcard.core.record import Record
from testcard.core.runfile import RunFile
from testcard.core.target import Target
from testcard.load import Generator, Terms, plan_load
from testcard.load.brief import Brief
from testcard.load.cluster.admission import admit
from testcard.load.cluster.clock import Alignment
from testcard.load.cluster.listen import DIARY
from testcard.load.cluster.listen import Cluster as Waiting
from testcard.load.cluster.mirror import Mirror, Mirrored
from testcard.load.journal import Journal
from testcard.mock_server import MockSettings, running

MASTER_HOST = "127.0.0.2"
PATIENCE_S = 120.0  # beyond any that is waited for, on a machine that others use as well


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((MASTER_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _another_clock() -> list[str]:
    """What gives a process another monotonic clock (time_namespaces(7)), where one may."""
    prefix = ["unshare", "--time", "--monotonic", "5000"]
    able = (
        shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    )
    return prefix if able else []


class Cluster:
    """The processes of one load, each in a folder and with temporary files of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = _free_port()
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, name: str, *options: str, prefix: list[str] | None = None, code: str | None = None) -> Path:
        """Start a `testcard load` of that name; returns its folder."""
        home = self.directory / name
        home.mkdir()
        program = ["-m", "testcard", "load"] if code is None else ["-c", code]
        with (home / "log").open("w") as log:
            self.processes.append(
                subprocess.Popen(
                    [*(prefix or []), sys.executable, *program, *options],
                    cwd=home,
                    env={**os.environ, "TMPDIR": str(home)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    text=True,
                )
            )
        return home

    def master(self, base_url: str, *options: str) -> Path:
        where = ["--master-bind-host", MASTER_HOST, "--master-bind-port", str(self.port)]
        plan = ["--target", "mock", "--base-url", base_url, "--size", "512x512", "--warmup", "0s"]
        return self.start("master", "--master", *where, *plan, "--out", "run", *options)

    def worker(self, name: str, *options: str, prefix: list[str] | None = None) -> Path:
        where = ["--master-host", MASTER_HOST, "--master-port", str(self.port)]
        return self.start(name, "--worker", *where, *options, prefix=prefix)

    def node(self, home: Path, module: str) -> int:
        """The process of that module which works in a folder."""
        listing = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        rows = [line.split(None, 1) for line in listing.splitlines()]
        found = [int(pid) for pid, args in rows if module in args and self._works_in(int(pid), home)]
        assert found, listing
        return found[0]

    @staticmethod
    def _works_in(pid: int, home: Path) -> bool:
        try:
            return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(home)
        except OSError:
            return False

    def codes(self) -> list[int]:
        """The exit codes, in the order of starting."""
        return [process.wait(PATIENCE_S) for process in self.processes]


@contextmanager
def _cluster(directory: Path) -> Iterator[Cluster]:
    cluster = Cluster(directory)
    try:
        yield cluster
    finally:
        for process in cluster.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(PATIENCE_S)


def _log(home: Path) -> str:
    text = (home / "log").read_text(encoding="utf-8")
    assert "Traceback" not in text, text
    return " ".join(text.split())


def _records(home: Path) -> list[Record]:
    return list(RunFile(home / "run").records())


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _recorded(home: Path) -> int:
    path = home / "run/records.jsonl"
    return path.read_bytes().count(b'"kind":"record"') if path.exists() else 0


def test_workers_of_other_hosts_and_clocks_share_a_plan(tmp_path: Path) -> None:
    """Two workers, one with a clock 5,000 s ahead, send each its part at its time; the master ends up with all."""
    with running(MockSettings(latency_median_s=0.03, rpm=100_000, burst=1)) as base_url, _cluster(tmp_path) as cluster:
        master = cluster.master(base_url, "--expect-workers", "2", "--rate", "20", "--duration", "2s")
        homes = [cluster.worker("a"), cluster.worker("b", prefix=_another_clock())]
        assert cluster.codes() == [0, 0, 0], _log(master)
    records = _records(master)
    assert [record.outcome for record in records] == ["valid"] * 40
    assert sorted(record.number for record in records) == list(range(1, 41))
    assert all(record.worker == (record.number - 1) % 2 for record in records)
    # Spans of another clock than the run's own would be 5,000 s off.
    assert all(-0.001 < (record.sent_s or 0) - record.planned_s < 5 for record in records)
    assert max(record.planned_s for record in records) < 60
    generator = Generator.read(master / "run")
    assert generator is not None
    assert all(worker.complete and worker.host == socket.gethostname() for worker in generator.workers)
    assert all(0 < (worker.clock_uncertainty_s or 0) < 1 for worker in generator.workers)
    assert "aligned between clocks to within" in " ".join(generator.notes)
    for home in homes:
        assert "the master has all of its records" in _log(home)
        assert [path.name for path in home.iterdir()] == ["log"]


def test_workers_that_end_early_cost_their_own_last_second(tmp_path: Path) -> None:
    """One killed with -9, one stopped by Ctrl-C: the third goes on, what was recorded is there, and notes and verdict
    name both."""
    with running(MockSettings(latency_median_s=0.03, rpm=100_000, burst=1)) as base_url, _cluster(tmp_path) as cluster:
        master = cluster.master(base_url, "--expect-workers", "3", "--rate", "30", "--duration", "3s")
        homes = [cluster.worker(name) for name in "abc"]
        _await(lambda: _recorded(master) >= 20)
        os.kill(cluster.node(homes[1], "testcard.load.cluster.remote"), signal.SIGKILL)
        cluster.processes[3].send_signal(signal.SIGINT)
        assert cluster.codes() == [4, 0, 5, 130]
    records = _records(master)
    generator = Generator.read(master / "run")
    assert generator is not None
    short = {worker.worker for worker in generator.workers if not worker.complete}
    assert len(short) == 2
    assert sorted(record.number for record in records) == list(range(1, 91))
    assert all(record.outcome == "valid" for record in records if record.worker not in short)
    assert {record.worker for record in records if record.outcome in ("lost", "dropped")} == short
    for worker in short:
        assert sum(record.outcome == "valid" and record.worker == worker for record in records) >= 4
    assert re.search(r"INCONCLUSIVE Worker \d on \S+ (died|stopped); arrivals lost: \d+, never sent: \d+", _log(master))
    assert "stopped; arrivals lost" in _log(master)
    assert "died; arrivals lost" in _log(master)
    assert "judging process" not in _log(master)
    assert "stopped before its end" in _log(homes[1])


def _kill(cluster: Cluster, _: Path) -> None:
    cluster.processes[0].kill()


def _interrupt(cluster: Cluster, _: Path) -> None:
    cluster.processes[0].send_signal(signal.SIGINT)


def _fill_disk(cluster: Cluster, master: Path) -> None:
    """The copy of what its workers write cannot grow any more."""
    size = max(path.stat().st_size for path in master.glob("testcard-load-*/*.jsonl")) + 100
    resource.prlimit(cluster.node(master, "testcard.load.cluster.master"), resource.RLIMIT_FSIZE, (size, size))


MASTER_ENDS: dict[str, tuple[Callable[[Cluster, Path], None], int, str, str]] = {
    "killed with -9": (_kill, -signal.SIGKILL, "its master ended the load", "the run was cut off after"),
    "Ctrl-C": (_interrupt, 130, "its master ended the load", "stopped by Ctrl-C"),
    "full disk": (_fill_disk, 5, "File too large", "the workers' records cannot be kept: File too large"),
}


@pytest.mark.parametrize("how", MASTER_ENDS)
def test_workers_end_with_their_master(how: str, tmp_path: Path) -> None:
    """However the master ends, its worker stops by itself and says why; the run is reported as far as it came."""
    befall, code, said, headline = MASTER_ENDS[how]
    with running(MockSettings(latency_median_s=0.03, rpm=100_000, burst=1)) as base_url, _cluster(tmp_path) as cluster:
        master = cluster.master(base_url, "--rate", "20", "--duration", "60s")
        home = cluster.worker("a")
        _await(lambda: _recorded(master) >= 5)
        befall(cluster, master)
        assert cluster.codes() == [code, 5]
    assert said in _log(home)
    assert "died" not in _log(master)
    command = [sys.executable, "-m", "testcard", "report", str(master / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert headline in " ".join(done.stdout.split())
    assert sum(record.outcome == "valid" for record in _records(master)) >= 5


def test_who_is_refused_and_who_does_not_come(tmp_path: Path) -> None:
    """A worker of another version is refused in a sentence; the master goes on waiting, and sends nothing."""
    code = (
        "import sys, testcard\n"
        "testcard.__version__ = '0.0.9'\n"
        "from testcard.cli import main\n"
        "import testcard.load.cluster.attend as attend\n"
        "attend.sys.executable = sys.argv.pop(1)\n"
        "sys.argv.insert(1, 'load')\n"
        "main()"
    )
    with running(MockSettings(rpm=100_000)) as base_url, _cluster(tmp_path) as cluster:
        old = tmp_path / "old-python"
        inner = (
            "import testcard as t, runpy; t.__version__ = '0.0.9'; runpy.run_module(sys.argv.pop(1), None, '__main__')"
        )
        old.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -c "import sys; {inner}" "$@"\n', encoding="utf-8")
        old.chmod(0o755)
        master = cluster.master(base_url, "--rate", "10", "--duration", "1s")
        where = ["--master-host", MASTER_HOST, "--master-port", str(cluster.port)]
        home = cluster.start("a", str(old), "--worker", *where, code=code)
        assert cluster.processes[1].wait(PATIENCE_S) == 2
        assert cluster.processes[0].poll() is None
        (diary,) = master.glob(f"testcard-load-*/{DIARY}")
        short = Waiting().short_of(0, 1, diary.parent)
        cluster.processes[0].send_signal(signal.SIGINT)
        assert cluster.codes() == [130, 2]
    assert "is testcard 0.0.9, its master" in _log(home)
    assert "0 of 1 workers came within 60 s, so nothing was sent; refused: " in short
    assert "is testcard 0.0.9" in short
    assert _records(master) == []


def test_a_master_to_whom_nobody_comes_ends_with_5(tmp_path: Path) -> None:
    """After --max-wait it says how many came, and how to start them; nothing was sent."""
    with running(MockSettings(rpm=100_000)) as base_url, _cluster(tmp_path) as cluster:
        master = cluster.master(base_url, "--max-wait", "1s")
        assert cluster.codes() == [5]
    assert "ERROR 0 of 1 workers came within 1 s, so nothing was sent; start `testcard load --worker" in _log(master)
    assert _records(master) == []


REFUSED: list[tuple[list[str], str]] = [
    # both parts at once
    (["--master", "--worker"], "exclude each other"),
    # what the master says
    (["--worker", "--rate", "5"], "--rate is for the master to say"),
    # a master's option without one
    (["--expect-workers", "2", "--target", "mock"], "--expect-workers goes with --master"),
    # a worker's option without one
    (["--master-host", "h", "--target", "mock"], "--master-host goes with --worker"),
    # no such host
    (["--worker", "--master-host", "no-such-host.invalid"], "no such host"),
    # nobody listens there
    (["--worker", "--master-port", "1", "--max-wait", "100ms"], "no master at 127.0.0.1:1 within 0.1 s"),
    # an address that is not ours
    (["--master", "--master-bind-host", "192.0.2.1", "--target", "mock"], "cannot listen on 192.0.2.1:5557"),
]


@pytest.mark.parametrize(("options", "sentence"), REFUSED)
def test_a_wrong_command_line_is_one_sentence(options: list[str], sentence: str, tmp_path: Path) -> None:
    """What does not go together, or leads nowhere, ends with 2 before anything is sent or written."""
    command = [sys.executable, "-m", "testcard", "load", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def _message(tmp_path: Path, *, keyed: bool = True, **fields: Any) -> dict[str, Any]:
    target = Target(**({"base_url": "http://127.0.0.1:9/v1", "model": "m"} | fields))
    plan = plan_load(target, rate_per_s=1, duration_s=1.0, warmup_s=0.0)
    brief = Brief(plan, target, tmp_path, started=7000.0, first_number=1)
    return {"worker": 0, "brief": brief.to_json(), "keyed": keyed, "ca_pem": None}


NOT_ADMITTED: list[tuple[dict[str, Any], str]] = [
    # a host that this worker did not name
    ({"base_url": "https://api.example.net/v1"}, "pass --confirm-host api.example.net to this worker"),
    # a variable that is not testcard's
    ({"keys": {"main": "AWS_SECRET_ACCESS_KEY"}}, "pass --api-key-env AWS_SECRET_ACCESS_KEY to this worker"),
    # likewise for a header
    ({"headers": {"x-a": "env:AWS_SECRET_ACCESS_KEY"}}, "header x-a takes its value from AWS_SECRET_ACCESS_KEY"),
    # a header's variable that is not set here
    ({"headers": {"x-a": "env:TESTCARD_NOWHERE"}}, "TESTCARD_NOWHERE"),
    # no key here, where the master has one
    ({"keys": {"main": "TESTCARD_NOWHERE"}}, "TESTCARD_NOWHERE is not set on this host"),
]


@pytest.mark.parametrize(("fields", "sentence"), NOT_ADMITTED)
def test_a_worker_gives_no_key_on_a_masters_word(
    fields: dict[str, Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever poses as the master gets neither a key sent to a host of theirs nor a variable that is not testcard's."""
    monkeypatch.setenv("TESTCARD_API_KEY", "sk-worker")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-yours")
    with pytest.raises(UsageError, match=sentence):
        admit(_message(tmp_path, **fields), Terms("m", 1), tmp_path, ahead_s=0.0)


def test_a_brief_holds_by_the_workers_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's zero is translated, a confirmed host is taken, and the brief never holds a key."""
    monkeypatch.setenv("TESTCARD_API_KEY", "sk-worker")
    message = _message(tmp_path, base_url="https://api.example.net/v1")
    brief = admit(message, Terms("m", 1, confirmed_host="api.example.net"), tmp_path, ahead_s=5000.0)
    assert brief.started == 2000.0
    assert "sk-worker" not in brief.write().read_text(encoding="utf-8")


def test_alignment_is_as_good_as_it_says() -> None:
    """However unevenly messages travel, the true offset lies within the uncertainty, and that shrinks."""
    dice = random.Random(4)
    alignment, before = Alignment(), float("inf")
    for _ in range(200):
        there, back = dice.expovariate(1000), dice.expovariate(100)
        sent = dice.uniform(0, 1000)
        alignment.add(sent, sent + there + 5000.25, sent + there + back)
        assert abs(alignment.ahead_s - 5000.25) <= alignment.uncertainty_s + 1e-9
        assert alignment.uncertainty_s <= before
        before = alignment.uncertainty_s
    assert alignment.uncertainty_s < 0.001
    assert alignment.ours(6000.25) == pytest.approx(1000.0, abs=0.001)


def test_lines_arrive_once_and_in_order_over_a_bad_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages and confirmations get lost and come twice: the copy is the file, and knows when it has ended."""
    monkeypatch.setattr("testcard.load.cluster.mirror._PATIENCE_S", 0.0)
    monkeypatch.setattr("testcard.load.cluster.mirror._PIECE", 64)
    dice = random.Random(5)
    mirror = Mirror(tmp_path / "copy")
    journal = Journal(tmp_path / "file")

    def send(data: dict[str, Any]) -> None:
        for _ in range(dice.choice((0, 1, 1, 2))):
            mirror.take(data["at"], data["data"])
            ended = data["ended"] and data["at"] == mirror.length
            if dice.random() < 0.6:
                mirrored.confirm(mirror.length, ended)

    mirrored = Mirrored("file", tmp_path / "file", send)
    for number in range(100):
        journal.write({"line": number, "of": "x" * dice.randrange(200)})
        mirrored.advance()
    journal.note(b"cut off in the middle")
    os.write(journal._descriptor, b'{"half')
    journal._noted.clear()
    assert not mirrored.ended
    journal.close()
    for _ in range(2000):
        mirrored.advance()
        if mirrored.ended:
            break
    assert mirrored.ended
    mirror.close()
    assert (tmp_path / "copy").read_bytes() + b'{"half' == (tmp_path / "file").read_bytes()
