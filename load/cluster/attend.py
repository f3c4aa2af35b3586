"""A worker's host: starts its workers (remote.py), waits for them, and says how it ended. Knows nothing of the load."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testcard.core.errors import TestcardError, UsageError
from testcard.load.cluster.admission import Terms
from testcard.load.journal import Tail

DIARY = "visit.jsonl"
"""What remote.py tells attend.py, in its directory: which worker it is, and how it ended."""
_LOG = "worker.log"
_LOOK_S = 0.05
_KNOCK_S = 0.5
_GRACE_S = 12.0


@dataclass(slots=True)
class _Guest:
    """One worker process of this host."""

    directory: Path
    process: subprocess.Popen[bytes]
    diary: Tail
    worker: int | None = None
    ended: str | None = None
    why: str = ""


class Visit:
    """What this host gives to a master's load.

    Args:
        processes: workers on this host.
        max_wait_s: for the master to answer.
        say: takes sentences for whoever watches.
    """

    def __init__(self, terms: Terms, processes: int, max_wait_s: float, say: Callable[[str], None]) -> None:
        self.terms = terms
        self.processes = processes
        self.max_wait_s = max_wait_s
        self.say = say
        self._private = Path(tempfile.mkdtemp(prefix="testcard-load-"))
        self._guests: list[_Guest] = []

    @property
    def where(self) -> str:
        return f"{self.terms.master_host}:{self.terms.master_port}"

    def run(self) -> None:
        """Take part in a load until it ends.

        Raises:
            UsageError: there is no master, or it refused this host; nothing was sent.
            TestcardError: a worker ended before the load did.
            KeyboardInterrupt: stopped by the user; what was recorded is with the master.
        """
        try:
            give_up = self._knock()
            self._guests = [self._start(number) for number in range(self.processes)]
            while any(guest.ended is None for guest in self._guests):
                for guest in self._guests:
                    self._look(guest)
                if time.monotonic() > give_up and any(g.worker is None and g.ended is None for g in self._guests):
                    raise UsageError(f"{self.where} answers, but not as a testcard master: check --master-port")
                time.sleep(_LOOK_S)
        finally:
            self._leave()
        self._conclude()

    def _knock(self) -> float:
        """Wait until the master's port is open; returns until when it may answer."""
        give_up = time.monotonic() + self.max_wait_s
        while True:
            try:
                socket.create_connection((self.terms.master_host, self.terms.master_port), timeout=5.0).close()
            except socket.gaierror as error:
                raise UsageError(
                    f"--master-host {self.terms.master_host}: no such host ({error.strerror}); name the master's host"
                ) from error
            except OSError as error:
                if time.monotonic() > give_up:
                    raise UsageError(
                        f"no master at {self.where} within {self.max_wait_s:g} s ({error.strerror or error}): start "
                        "`testcard load --master` there, or correct --master-host and --master-port"
                    ) from error
                time.sleep(_KNOCK_S)
            else:
                return time.monotonic() + max(self.max_wait_s, 15.0)

    def _start(self, number: int) -> _Guest:
        directory = self._private / str(number)
        directory.mkdir()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        command = [
            sys.executable,
            "-m",
            "testcard.load.cluster.remote",
            json.dumps(self.terms.to_json()),
            str(directory),
        ]
        with (directory / _LOG).open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                command,
                stdin=subprocess.PIPE,  # the lifeline
                stdout=log,
                stderr=log,
                cwd=directory,
                env=environment,
                start_new_session=True,  # Ctrl-C is for us; the worker drains
            )
        return _Guest(directory, process, Tail(directory / DIARY))

    def _look(self, guest: _Guest) -> None:
        gone = guest.process.poll() is not None  # asked before the last look: nothing comes after it
        for line in guest.diary.lines():
            told: dict[str, Any] = json.loads(line)
            if "worker" in told:
                guest.worker = told["worker"]
                within = f"{told['clock_uncertainty_s'] * 1000:.2g} ms"
                self.say(f"worker {guest.worker} of the master at {self.where}; clocks aligned to within {within}")
            else:
                guest.ended, guest.why = told["ended"], told["why"]
        if gone and guest.ended is None:
            guest.ended, guest.why = "died", f"its process ended; its last words: {_last_words(guest.directory / _LOG)}"

    def _leave(self) -> None:
        """Let go of the lifelines, and give the workers time for their last lines."""
        for guest in self._guests:
            if guest.process.stdin is not None:
                guest.process.stdin.close()
        give_up = time.monotonic() + _GRACE_S
        for guest in self._guests:
            with contextlib.suppress(subprocess.TimeoutExpired):
                guest.process.wait(max(0.0, give_up - time.monotonic()))
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(guest.process.pid, signal.SIGKILL)  # with its judging process
            guest.process.wait()
        shutil.rmtree(self._private, ignore_errors=True)

    def _conclude(self) -> None:
        for guest in self._guests:
            name = "a worker" if guest.worker is None else f"worker {guest.worker}"
            if guest.ended == "refused":
                raise UsageError(guest.why)
            if guest.ended != "complete":
                raise TestcardError(f"{name} stopped before its end: {guest.why}")
            self.say(f"{name} is done; the master has all of its records")


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "none")
