"""A worker whose master is on another host: a process of its own, started by attend.py as

    python -m testcard.load.cluster.remote TERMS DIRECTORY

It works off its part as a worker of one machine does, into files of its own directory; what is new in them leaves for
the master ten times a second. Standard input is a lifeline, as there. Imports gevent.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.socket import wait_read
from locust.env import Environment
from locust.exception import RPCError

from testcard import __version__
from testcard.core.errors import UsageError
from testcard.load.brief import VARIABLE, Brief
from testcard.load.cluster.admission import Terms, admit
from testcard.load.cluster.attend import DIARY
from testcard.load.cluster.clock import Alignment
from testcard.load.cluster.message import (
    ANSWERS,
    BRIEF,
    CLOCK,
    DECLINED,
    HELLO,
    JOURNAL,
    LINES,
    REFUSED,
    SILENCE_S,
    TAKEN,
)  # fmt: skip
from testcard.load.cluster.mirror import Mirrored
from testcard.load.journal import Journal
from testcard.load.worker import work

_LOOK_S = 0.1
_ASK_S = 0.5
_ROUNDS = 20
_DRAIN_S = 8.0


def main() -> None:
    terms, directory = Terms.from_json(json.loads(sys.argv[1])), Path(sys.argv[2])
    with Journal(directory / DIARY) as diary:
        ended, why = _Remote(terms, directory, diary).run()
        diary.write({"ended": ended, "why": why})
    os._exit(0)  # Locust's greenlets would talk on


class _Remote:
    def __init__(self, terms: Terms, directory: Path, diary: Journal) -> None:
        self._terms = terms
        self._directory = directory
        self._diary = diary
        self._stopped = Event()
        self._why = ""
        self._answer: dict[str, Any] | None = None
        self._refused = ""
        self._clock = Alignment()
        self._ticked = Event()
        self._start: float | None = None
        self._heard = self._asked = time.monotonic()
        self._mirrored: dict[str, Mirrored] = {}
        gevent.spawn(self._hold_the_line)
        self._runner = Environment(user_classes=[]).create_worker_runner(terms.master_host, terms.master_port)
        for name, listener in (
            (BRIEF, self._on_brief), (REFUSED, self._on_refused), (CLOCK, self._on_clock), (TAKEN, self._on_taken),
        ):  # fmt: skip
            self._runner.register_message(name, listener)

    def run(self) -> tuple[str, str]:
        """Take part in one load; returns how that ended, in a word and a sentence."""
        while self._answer is None and not self._refused:
            if self._stopped.is_set():
                return "interrupted", "interrupted before the load began"
            self._send(HELLO, {"version": __version__, "host": socket.gethostname()})
            gevent.sleep(_ASK_S)
        if self._answer is None:
            return "refused", self._refused
        self._align()
        try:
            brief = admit(self._answer, self._terms, self._directory, ahead_s=self._clock.ahead_s)
        except UsageError as error:
            self._send(DECLINED, {"why": str(error)})
            gevent.sleep(_ASK_S)  # so that it leaves
            return "refused", str(error)
        return self._work(brief, self._answer["worker"])

    def _align(self) -> None:
        while self._clock.rounds < _ROUNDS and not self._silent():
            self._ticked.clear()
            self._ask()
            self._ticked.wait(1.0)

    def _work(self, brief: Brief, number: int) -> tuple[str, str]:
        os.environ[VARIABLE] = str(brief.write())  # for the judging process
        journal = Journal(brief.journal(number))
        within_s = round(self._clock.uncertainty_s, 6)
        journal.write({"present": os.getpid(), "host": socket.gethostname(), "clock_uncertainty_s": within_s})
        self._diary.write({"worker": number, "clock_uncertainty_s": within_s})
        for name, path in ((JOURNAL, brief.journal(number)), (ANSWERS, brief.answers(number))):
            self._mirrored[name] = Mirrored(name, path, lambda data: self._send(LINES, data))
        worker = gevent.spawn(work, brief, number, journal, self._stopped)
        give_up: float | None = None
        while not all(mirrored.ended for mirrored in self._mirrored.values()):
            now = time.monotonic()
            if self._start is not None and brief.beginning() is None:
                brief.begin(self._clock.ours(self._start))
            if now - self._asked > _ASK_S:
                self._ask()
            if self._silent() and not self._stopped.is_set():
                self._stop(f"the master at {self._terms.master_host} fell silent for {SILENCE_S:.0f} s")
            if self._stopped.is_set():
                give_up = give_up or now + _DRAIN_S
                if now > give_up or (worker.dead and self._silent()):
                    break
            for mirrored in self._mirrored.values():
                mirrored.advance()
            gevent.sleep(_LOOK_S)
        left = sum(mirrored.under_way for mirrored in self._mirrored.values())
        if not self._stopped.is_set() and worker.exception is None:
            return "complete", ""
        why = self._why or "its judging process ended"
        return "stopped", why + (f"; {left} bytes of records did not reach the master" if left else "")

    def _stop(self, why: str) -> None:
        self._why = self._why or why
        self._stopped.set()

    def _silent(self) -> bool:
        return time.monotonic() - self._heard > SILENCE_S

    def _ask(self) -> None:
        self._asked = time.monotonic()
        self._send(CLOCK, {"sent": self._asked})

    def _send(self, name: str, data: dict[str, Any]) -> None:
        try:
            self._runner.send_message(name, data)
        except RPCError:
            return  # as good as lost on the way; whatever matters is sent again

    def _on_brief(self, msg: Any, **_: Any) -> None:
        self._heard = time.monotonic()
        self._answer = msg.data

    def _on_refused(self, msg: Any, **_: Any) -> None:
        self._refused = msg.data["why"]

    def _on_clock(self, msg: Any, **_: Any) -> None:
        now = self._heard = time.monotonic()
        if self._start is None:
            self._clock.add(msg.data["sent"], msg.data["at"], now)
        self._start = msg.data["start"] if self._start is None else self._start
        if msg.data["stop"]:
            self._stop(msg.data["stop"])
        self._ticked.set()

    def _on_taken(self, msg: Any, **_: Any) -> None:
        self._heard = time.monotonic()
        self._mirrored[msg.data["file"]].confirm(msg.data["upto"], msg.data["ended"])

    def _hold_the_line(self) -> None:
        while True:
            wait_read(0)
            if not os.read(0, 1):
                break
        if self._answer is None:
            os._exit(0)
        self._stop("interrupted on this host")
        gevent.sleep(_DRAIN_S + 1)
        os._exit(1)


if __name__ == "__main__":
    main()
