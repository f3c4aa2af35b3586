"""Loads that end otherwise than planned: killed, interrupted, left by their server; nothing recorded is lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from loaded import (
    good_answer,
    load_of,
    plan_of,
    read_load,
    serving,
    target_of,
    until,
    workers_left,
)
from testcard.core.budget import Budget
from testcard.core.errors import TestcardError
from testcard.load import Progress, conclude


def test_a_killed_worker_costs_its_own_arrivals_and_the_run_says_so(tmp_path: Path) -> None:
    """kill -9 of one of two workers: the other goes on, every arrival is accounted for, the notes name the dead one."""
    killed = threading.Event()

    def answer(index: int) -> bytes:
        if index >= 20:
            killed.wait(20)  # so that some are under way when it dies
        return good_answer(index)

    def kill_one() -> None:
        os.kill(workers_left()[0], signal.SIGKILL)
        killed.set()

    with serving(answer) as served:
        target = target_of(served.base_url)
        killer = threading.Thread(target=until, args=(lambda: len(served.seen) >= 30, kill_one), daemon=True)
        killer.start()
        loaded = load_of(plan_of(target, rate_per_s=50, duration_s=1.5, processes=2), target, tmp_path)
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
    # Sent as the server saw it, but for what was on its way into the socket, or had not been written of the last 50 ms.
    assert abs(arrivals["sent"] - len(served.seen)) <= 3


def test_ctrl_c_keeps_what_was_recorded_and_leaves_no_process(tmp_path: Path) -> None:
    """Interrupted in the middle: the error goes on, the records stay, the workers are gone, the sums hold."""

    def interrupt(progress: Progress) -> None:
        if progress.done >= 10:
            raise KeyboardInterrupt

    with serving(good_answer) as served:
        target = target_of(served.base_url)
        plan = plan_of(target, rate_per_s=20, duration_s=30.0)
        budget = Budget(images=600)
        with pytest.raises(KeyboardInterrupt):
            load_of(plan, target, tmp_path, on_progress=interrupt, budget=budget)
        assert workers_left() == []
        loaded = read_load(plan, tmp_path)
        arrivals = loaded.arrivals
        assert 10 <= arrivals["answered"] <= arrivals["planned"] < 200
        assert abs(arrivals["sent"] - len(served.seen)) <= 1
    assert budget.spent == arrivals["answered"]
    assert budget.left == 600 - budget.spent
    load = conclude(plan.to_json(), loaded.records, generator=loaded.generator)
    assert any("of 600 arrivals" in note for note in load.notes)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _fill_disk(pid: int) -> None:
    """No file of that process may grow any more."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, 1))


@pytest.mark.parametrize("befall", [_kill, _fill_disk])
def test_a_judge_that_ends_costs_what_it_had_and_the_run_says_so(befall: Callable[[int], None], tmp_path: Path) -> None:
    """kill -9 of the judging process, or a full disk: nothing more is sent, each arrival has an outcome, and the loss
    is told."""

    struck = threading.Event()

    def strike(progress: Progress) -> None:
        if progress.valid >= 5 and not struck.is_set():
            struck.set()
            listing = subprocess.run(
                ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
            ).stdout
            rows = [line.split(None, 2) for line in listing.splitlines()]
            for pid, ppid, args in rows:
                if "testcard.load.judging" in args and int(ppid) in workers_left():
                    befall(int(pid))

    with serving(good_answer) as served:
        target = target_of(served.base_url)
        plan = plan_of(target, rate_per_s=20, duration_s=60.0)  # nobody waits for its end
        loaded = load_of(plan, target, tmp_path, on_progress=strike)
    assert loaded.arrivals["planned"] == len(loaded.records) == 1200
    assert loaded.arrivals["answered"] >= 5
    assert loaded.arrivals["dropped"] > 0
    assert loaded.generator is not None
    assert "The judging process of worker 0 died" in (loaded.generator.missing or "")


def test_a_server_that_ends_in_the_middle_breaks_what_follows(tmp_path: Path) -> None:
    """The server goes while arrivals are due: those after it are recorded as broken, none is lost or dropped."""
    with serving(good_answer) as served:
        target = target_of(served.base_url)
        plan = plan_of(target, rate_per_s=20, duration_s=2.0)

        def stop(progress: Progress) -> None:
            if progress.valid >= 10:
                served.answer = lambda _: None

        loaded = load_of(plan, target, tmp_path, on_progress=stop)
    assert loaded.arrivals == {"planned": 40, "sent": 40, "dropped": 0, "answered": 40, "lost": 0}
    outcomes = [record.outcome for record in sorted(loaded.records, key=lambda record: record.number)]
    assert set(outcomes) == {"valid", "broken"}
    assert outcomes[-1] == "broken"


def test_a_generator_that_does_not_start_says_why(tmp_path: Path) -> None:
    """A process that fails before the start ends the run with its last words, keeps its log, and leaves nobody."""
    target = target_of("http://127.0.0.1:9/v1", dialect="klingon")  # the judging process knows no such contract
    with pytest.raises(TestcardError, match="did not start"):
        load_of(plan_of(target, rate_per_s=10, duration_s=1.0), target, tmp_path)
    assert "Traceback" in (tmp_path / "load-generator.log").read_text(encoding="utf-8")
    assert workers_left() == []
