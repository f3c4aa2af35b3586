"""What Locust runs: one user per worker process, who dispatches that worker's part of the plan.

This file, and what only it imports, is the only place for locust and gevent: importing them patches sockets. It
runs in processes of its own, started by run.py as

    python -m locust -f locustfile.py --headless

with the path of a brief in the environment. Locust gives processes, master, workers and its own table; no figure
is taken from that. Standard input is a lifeline: when it ends, the parent wants an end, or is no more.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import Any

import gevent
from gevent.event import Event
from gevent.queue import SimpleQueue
from gevent.socket import wait_read
from locust import User, constant, events, task

from testcard.core.quantile import quantile
from testcard.load.arena import Arena
from testcard.load.brief import Brief
from testcard.load.dispatch import Dispatcher
from testcard.load.handover import END, Delivery, frame
from testcard.load.journal import TOGETHER_S, Journal

_TICK_S = 0.01
_POLL_S = 0.02
_GRACE_S = 3.0
_MOST_TOGETHER_BYTES = 1024 * 1024

_brief = Brief.read()
_stopped = Event()


def _hold_the_line(**_: Any) -> None:
    """End with the parent, whatever Locust is doing."""

    def watch() -> None:
        while True:
            wait_read(0)
            if not os.read(0, 1):
                break
        _stopped.set()
        gevent.sleep(_GRACE_S)  # workers write their footers
        os._exit(1)

    gevent.spawn(watch)


events.init.add_listener(_hold_the_line)  # type: ignore[no-untyped-call]  # of locust, which is untyped there


class ArrivalDispatcher(User):
    """Not a user: the clock of one worker. The users are the arrivals."""

    wait_time = constant(1)

    @task
    def dispatch(self) -> None:
        """Take a worker's part of the plan and work it off; then only wait for the end of the process."""
        claimed = _claim()
        if claimed is not None:
            worker, journal = claimed
            ours, theirs = socket.socketpair()
            with journal, ours:  # whatever happens here, the parent and the judging process see both end
                _Worker(worker, journal, self.environment, ours, theirs).work()
        Event().wait()


def _claim() -> tuple[int, Journal] | None:
    """The first part of the plan that nobody has taken. Locust may start a user again elsewhere; it gets none."""
    for worker in range(_brief.plan.processes):
        try:
            journal = Journal(_brief.journal(worker))
        except FileExistsError:
            continue
        journal.write({"present": os.getpid()})
        return worker, journal
    return None


class _Worker:
    """One worker: its judging process, its dispatcher, and an eye on itself."""

    def __init__(
        self, worker: int, journal: Journal, environment: Any, pipe: socket.socket, theirs: socket.socket
    ) -> None:
        self._worker = worker
        self._journal = journal
        self._environment = environment
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._arena = Arena()
        self._backlog = 0
        self._stalls: list[float] = []
        self._pipe = pipe
        shared = self._arena.descriptor
        command = [sys.executable, "-m", "testcard.load.judging", str(worker), str(-1 if shared is None else shared)]
        self._judging = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            command, stdin=theirs.fileno(), pass_fds=() if shared is None else (shared,)
        )
        theirs.close()

    def work(self) -> None:
        dispatcher = Dispatcher(
            _brief,
            self._worker,
            self._journal,
            arena=self._arena,
            hand_over=self._hand_over,
            backlog=lambda: self._backlog,
            notify=self._notify,
            stopped=_stopped,
        )
        sender = gevent.spawn(self._send)
        sender.link_exception(lambda _: _stopped.set())  # nobody to judge: nothing more to send
        self._journal.write({"ready": os.getpid()})
        start = self._await_start()
        ticker = gevent.spawn(self._tick)
        cpu, wall = time.process_time(), time.monotonic()
        if start is not None:
            dispatcher.work(start)
        cpu, wall = time.process_time() - cpu, time.monotonic() - max(wall, start or wall)
        ticker.kill()
        self._queue.put(None)
        sender.join()
        counts = dispatcher.counts
        self._journal.write(
            {
                "footer": {
                    "worker": self._worker,
                    "complete": not _stopped.is_set(),
                    "planned": counts.planned,
                    "sent": counts.sent,
                    "dropped": counts.dropped,
                    "answered": counts.answered,
                    "cpu_share": round(cpu / wall, 4) if wall > 0 else None,
                    "stall_p99_s": round(quantile(sorted(self._stalls), 0.99), 6) if self._stalls else None,
                    "stall_max_s": round(max(self._stalls), 6) if self._stalls else None,
                }
            }
        )
        self._judging.wait()

    def _await_start(self) -> float | None:
        while not _stopped.wait(_POLL_S):
            if self._judging.poll() is not None:
                raise RuntimeError("the judging process did not start")
            start = _brief.beginning()
            if start is not None:
                return start
        return None

    def _hand_over(self, delivery: Delivery) -> None:
        for place in delivery.places:
            if place is not None:
                self._arena.hand_over(place[0])
        data = frame(delivery)  # at once: a third of the memory, should the judging process fall behind
        self._backlog += len(data)
        self._queue.put(data)

    def _send(self) -> None:
        """Hand over what is finished, while the dispatcher goes on."""
        ended = False
        while not ended:
            waiting = [self._queue.get()]
            if self._backlog < _MOST_TOGETHER_BYTES:
                gevent.sleep(TOGETHER_S)  # the judging process is woken once for all of them
            size = len(waiting[0] or b"")
            while not self._queue.empty() and size < _MOST_TOGETHER_BYTES:
                waiting.append(self._queue.get())
                size += len(waiting[-1] or b"")
            ended = waiting[-1] is None
            data = b"".join([part for part in waiting if part is not None])
            self._pipe.sendall(data)
            self._backlog -= len(data)
        if not _stopped.is_set():
            self._pipe.sendall(END)
        self._pipe.close()

    def _tick(self) -> None:
        """How long the event loop keeps a sleeper waiting: what it does to every stamp."""
        while True:
            asleep = time.monotonic()
            gevent.sleep(_TICK_S)
            self._stalls.append(time.monotonic() - asleep - _TICK_S)

    def _notify(self, path: str, seconds: float, size: int, failed: str | None) -> None:
        self._environment.events.request.fire(
            request_type="POST",
            name=path,
            response_time=seconds * 1000,
            response_length=size,
            exception=None if failed is None else RuntimeError(failed),
            context={},
        )
