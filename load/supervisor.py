"""Supervises the workers of a load: starts them together, follows what they write, decides when it is over.

Locust's processes form a group of their own. They end when this side says so: nothing depends on when Locust
would have ended them, and no figure on what it counted.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from testcard.core.budget import Budget
from testcard.core.errors import TestcardError
from testcard.core.limit import start_delay_s
from testcard.core.redact import Redactor
from testcard.core.target import Keyring
from testcard.load import launch
from testcard.load.brief import Brief
from testcard.load.cluster.listen import Cluster, note
from testcard.load.collect import Collector, Progress
from testcard.load.generator import Generator, WorkerReport
from testcard.load.overload import Overload

_LOOK_S = 0.05
_HEALTH_S = 0.5
_LEAD_S = 0.3
_FAR_LEAD_S = 1.5  # workers on other hosts ask twice a second whether it starts
_READY_S = 60.0
_GRACE_S = 5.0
_PATIENCE_S = 3.0  # for a master to tell its workers that all has come
_SILENCE_S = 30.0
_ROOM_BYTES = 64 * 1024


class Supervisor:
    """One load while it goes on."""

    def __init__(
        self,
        brief: Brief,
        collector: Collector,
        overload: Overload,
        sent: Sequence[float],
        on_progress: Callable[[Progress], None] | None,
        cluster: Cluster | None,
    ) -> None:
        self._brief = brief
        self._collector = collector
        self._overload = overload
        self._sent = sent
        self._on_progress = on_progress
        self._cluster = cluster
        self._told: Progress | None = None
        self._notes: list[str] = []
        self._missing: list[str] = []
        self.failed = False

    def run(self, keyring: Keyring) -> None:
        """Start the workers, wait until all are ready, let them begin together, follow them to their end."""
        stopped = True
        self._process = launch.start(self._brief, keyring, self._cluster)
        try:
            self._await_ready()
            end = self._begin()
            stopped = self._follow(end)
        finally:
            # Also on Ctrl-C, and on a disk that is full: the workers must not go on without us.
            try:
                if stopped:
                    self._stop()
                elif self._cluster is not None:
                    self._dismiss()
            finally:
                launch.end(self._process, patience_s=_PATIENCE_S if self._cluster else 0.0)
            self._account(stopped)

    def _await_ready(self) -> None:
        watches = self._collector.watches
        give_up = time.monotonic() + (self._cluster.max_wait_s if self._cluster else _READY_S)
        everybody, there = self._cluster is None, 0
        while (count := sum(watch.ready and watch.judging for watch in watches)) < len(watches):
            for watch in watches:
                watch.look_after()
            if self._process.poll() is not None or any(watch.died for watch in watches):
                self._fail(f"the load generator did not start; its last words: {self._last_words()}")
            if everybody and count > there:  # many on few cores take their time
                there, give_up = count, time.monotonic() + _READY_S
            if not everybody and all(watch.present for watch in watches):
                everybody, give_up = True, time.monotonic() + _READY_S
            if time.monotonic() > give_up and self._cluster is not None and not everybody:
                came = sum(watch.present for watch in watches)
                self._fail(self._cluster.short_of(came, len(watches), self._brief.directory))
            if time.monotonic() > give_up:
                self._fail(
                    f"{there} of {len(watches)} workers were ready, and no more within {_READY_S:g} s; take fewer "
                    f"--processes (this machine has {os.cpu_count()} cores); their last words: {self._last_words()}"
                )
            self._collector.read()
            self._tell(starts_in_s=1.0, awaited=sum(not watch.present for watch in watches) if self._cluster else 0)
            time.sleep(_LOOK_S)

    def _fail(self, why: str) -> NoReturn:
        self.failed = True
        raise TestcardError(why)

    def _begin(self) -> float:
        """Set the moment of the start; returns when the last arrival is due."""
        now = time.monotonic()
        plan, limit = self._brief.plan, self._brief.target.limit
        delay = lead = _FAR_LEAD_S if self._cluster else _LEAD_S
        if plan.crowd is not None:
            delay += plan.crowd.pause_s if self._sent else 0.0  # a check has used that key as well
        elif limit is not None and self._sent:
            offsets = [arrival.offset_s for arrival in plan.schedule()]
            delay += start_delay_s(limit, self._sent, now + lead, offsets)
        self._collector.begins_s = now + delay - self._brief.started
        self._brief.begin(now + delay)
        while (left := now + delay - time.monotonic()) > 0:
            self._tell(starts_in_s=left)
            time.sleep(min(left, _HEALTH_S))
        return now + delay + plan.latest_s

    def _follow(self, end: float) -> bool:
        """Take in records until all is over; returns whether it was stopped before."""
        checked = active = time.monotonic()
        while True:
            news = self._collector.read()
            now = time.monotonic()
            self._tell()
            if news:
                active = now
            if self._overload.reached and not self._brief.target.on_loopback:
                self._notes.append(
                    "Stopped by testcard: more than half of the answers of 10 s were 5xx or timeouts; "
                    "load at a lower --rate."
                )
                return True
            if self._cluster is not None and self._process.poll() is not None:
                self._collector.read()
                self._fail(f"the cluster's master process ended in the middle; its last words: {self._last_words()}")
            if all(watch.over for watch in self._collector.watches):
                return False
            if now - checked > _HEALTH_S:
                checked = now
                for watch in self._collector.watches:
                    watch.look_after()
                if any(watch.died or watch.judge_died for watch in self._collector.watches):
                    self._collector.read()  # what it wrote between the last look and its end
            silent = now - max(active, end) > 2 * self._brief.target.timeout_s + _SILENCE_S
            if silent:
                self.failed = True
                self._notes.append("The load generator fell silent and was ended.")
                return False
            time.sleep(_LOOK_S)

    def _stop(self) -> None:
        """Let go of the lifeline, and take in what the workers still write."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        give_up = time.monotonic() + _GRACE_S + (_PATIENCE_S if self._cluster else 0.0)
        while time.monotonic() < give_up:
            self._collector.read()
            if all(watch.over for watch in self._collector.watches) or self._process.poll() is not None:
                break
            for watch in self._collector.watches:
                watch.look_after()
            time.sleep(_LOOK_S)

    def _dismiss(self) -> None:
        """Wait until the master has told each worker that it has all: who hears of an end first takes it for a stop."""
        give_up = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up and not all(watch.gone for watch in self._collector.watches):
            time.sleep(_LOOK_S)

    def _account(self, stopped: bool) -> None:
        self._collector.read()
        watches = self._collector.watches
        aligned = [watch.clock_uncertainty_s for watch in watches if watch.clock_uncertainty_s is not None]
        if aligned:
            self._notes.append(note([(watch.worker, watch.host or "?") for watch in watches], max(aligned)))
        short = self._collector.settle(stopped=stopped)
        for watch in watches:
            lost, unsent = short.get(watch.worker, (0, 0))
            if not stopped and (watch.died or watch.judge_died or lost or unsent):
                self.failed = True
                cost = f"{watch.end}; arrivals lost: {lost:,}, never sent: {unsent:,}{self._full()}"
                self._notes.append(f"{cost}.")
                self._missing.append(cost)
        self._tell()

    def _full(self) -> str:
        """Whether a full disk was the reason."""
        try:
            free = shutil.disk_usage(self._brief.directory).free
        except OSError:
            return ""
        return "" if free > _ROOM_BYTES else f"; the disk of {self._brief.directory.parent} is full: set TMPDIR"

    def leave(self, budget: Budget, redactor: Redactor, directory: Path) -> Generator:
        """Settle what was spent, and keep what the generator says of itself.

        Raises:
            TestcardError: it cannot be written.
        """
        budget.settle(self._brief.plan.images, self._collector.billed)
        if self.failed:
            launch.keep_log(self._brief.directory, directory, redactor)
        shutil.rmtree(self._brief.directory, ignore_errors=True)
        report = self._report()
        report.write(directory)
        return report

    def _report(self) -> Generator:
        workers = tuple(
            replace(
                watch.report or WorkerReport(worker=watch.worker, complete=False),
                host=watch.host,
                clock_uncertainty_s=watch.clock_uncertainty_s,
            )
            for watch in self._collector.watches
        )
        return Generator(
            cores=os.cpu_count() or 1,
            workers=workers,
            notes=tuple(self._notes),
            missing="; ".join(self._missing) or None,
        )

    def _tell(self, starts_in_s: float = 0.0, awaited: int = 0) -> None:
        seen = self._collector.progress
        progress = replace(seen, starts_in_s=starts_in_s, awaited=awaited)
        if self._on_progress is not None and progress != self._told:
            self._told = progress
            self._on_progress(progress)

    def _last_words(self) -> str:
        lines = (self._brief.directory / launch.LOG).read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "none")
