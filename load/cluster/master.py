"""The master of a cluster: a process of its own between run.py, which it serves with files, and Locust's workers.

    python -m testcard.load.cluster.master BIND_HOST BIND_PORT KEYED

with the path of a brief in the environment. Each worker gets a seat, and its files a mirror here; a mirror is closed
when its writer has ended, or is given up, as it would be on one machine. Imports gevent.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from gevent.socket import wait_read
from locust.env import Environment
from locust.runners import STATE_MISSING

from testcard import __version__
from testcard.load.brief import Brief
from testcard.load.cluster.listen import DIARY
from testcard.load.cluster.message import ANSWERS, BRIEF, CLOCK, DECLINED, HELLO, JOURNAL, LINES, REFUSED, TAKEN
from testcard.load.cluster.mirror import Mirror
from testcard.load.journal import Journal

_LOOK_S = 0.05
_GRACE_S = 6.0
_FLUSH_S = 0.5


@dataclass(slots=True)
class _Seat:
    """A part of the plan, and who has it."""

    worker: int
    client: str
    host: str
    mirrors: dict[str, Mirror] = field(default_factory=dict)

    @property
    def closed(self) -> bool:
        return all(mirror.closed for mirror in self.mirrors.values())

    def close(self) -> None:
        for mirror in self.mirrors.values():
            mirror.close()


class _Master:
    def __init__(self, brief: Brief, host: str, port: int, *, keyed: bool) -> None:
        self._brief = brief
        self._keyed = keyed
        ca_file = brief.target.ca_file
        self._ca_pem = Path(ca_file).read_text(encoding="utf-8") if ca_file else None
        self._diary = Journal(brief.directory / DIARY)
        self._seats: dict[str, _Seat] = {}
        """By Locust's id of the worker."""
        self._stop: str | None = None
        self._broken = False
        gevent.spawn(self._hold_the_line)
        self._runner = Environment(user_classes=[]).create_master_runner(host, port)
        for name, listener in (
            (HELLO, self._on_hello), (DECLINED, self._on_declined), (CLOCK, self._on_clock), (LINES, self._on_lines),
        ):  # fmt: skip
            self._runner.register_message(name, listener)

    def serve(self) -> None:
        """Until the lifeline ends and all have said what they had to say."""
        give_up = float("inf")
        while not self._broken and time.monotonic() < give_up:
            for seat in self._seats.values():
                client = self._runner.clients.get(seat.client)
                if client is None or client.state == STATE_MISSING:
                    seat.close()
            if self._stop:
                give_up = min(give_up, time.monotonic() + _GRACE_S)
                if all(seat.closed for seat in self._seats.values()):
                    break
            gevent.sleep(_LOOK_S)
        gevent.sleep(_FLUSH_S)  # the last answers leave

    def _on_hello(self, msg: Any, **_: Any) -> None:
        version, host = str(msg.data["version"]), str(msg.data["host"])
        seat = self._seats.get(msg.node_id)
        why = None if seat else self._refusal(version)
        if why is not None:
            self._diary.write({"refused": f"{host}: {why}"})
            self._runner.send_message(REFUSED, {"why": why}, msg.node_id)
            return
        if seat is None:
            seat = self._seat(msg.node_id, host)
        answer = {
            "worker": seat.worker, "brief": self._brief.to_json(), "keyed": self._keyed, "ca_pem": self._ca_pem,
        }  # fmt: skip
        self._runner.send_message(BRIEF, answer, msg.node_id)

    def _refusal(self, version: str) -> str | None:
        """Why a worker cannot take part, or None."""
        expected = self._brief.plan.processes
        if version != __version__:
            return (
                f"this worker is testcard {version}, its master {__version__}: install the same version on both hosts"
            )
        if self._stop or self._brief.beginning() is not None:
            return "the load has begun already: start workers before it does"
        if len(self._seats) >= expected:
            return f"the master has all {expected} workers that it expects: raise its --expect-workers"
        return None

    def _seat(self, client: str, host: str) -> _Seat:
        taken = {seat.worker for seat in self._seats.values()}
        worker = min(set(range(self._brief.plan.processes)) - taken)
        mirrors = {JOURNAL: Mirror(self._brief.journal(worker)), ANSWERS: Mirror(self._brief.answers(worker))}
        seat = self._seats[client] = _Seat(worker, client, host, mirrors)
        return seat

    def _on_declined(self, msg: Any, **_: Any) -> None:
        seat = self._seats.pop(msg.node_id, None)
        if seat is None:
            return
        seat.close()  # free for another: nothing was written
        for path in (self._brief.journal(seat.worker), self._brief.answers(seat.worker)):
            path.unlink(missing_ok=True)
        self._diary.write({"refused": f"{seat.host}: {msg.data['why']}"})

    def _on_clock(self, msg: Any, **_: Any) -> None:
        at = time.monotonic()
        seat, stop = self._seats.get(msg.node_id), self._stop
        if seat is None or seat.closed:
            stop = stop or "its master had given it up"
        answer = {"sent": msg.data["sent"], "at": at, "start": self._brief.beginning(), "stop": stop}
        self._runner.send_message(CLOCK, answer, msg.node_id)

    def _on_lines(self, msg: Any, **_: Any) -> None:
        seat = self._seats.get(msg.node_id)
        if seat is None:
            return
        name, mirror = msg.data["file"], seat.mirrors[msg.data["file"]]
        try:
            mirror.take(msg.data["at"], msg.data["data"])
        except OSError as error:
            sys.stderr.write(f"the workers' records cannot be kept: {error.strerror}\n")
            self._stop, self._broken = f"its master ended: {error.strerror}", True
            return
        ended = msg.data["ended"] and msg.data["at"] == mirror.length
        if ended:
            mirror.close()
        self._runner.send_message(TAKEN, {"file": name, "upto": mirror.length, "ended": ended}, msg.node_id)

    def _hold_the_line(self) -> None:
        while True:
            wait_read(0)
            if not os.read(0, 1):
                break
        self._stop = "its master ended the load"


def main() -> None:
    _Master(Brief.read(), sys.argv[1], int(sys.argv[2]), keyed=sys.argv[3] == "1").serve()
    os._exit(0)  # Locust's greenlets would talk on


if __name__ == "__main__":
    main()
