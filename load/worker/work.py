"""One worker: its judging process, its dispatcher, and an eye on itself."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import time
from typing import Any

import gevent
from gevent.event import Event

from testcard.core.quantile import quantile
from testcard.load.arena import Arena
from testcard.load.brief import Brief
from testcard.load.handover import END, Delivery, frame
from testcard.load.journal import TOGETHER_S, Journal
from testcard.load.worker.dispatch import Dispatcher

_POLL_S = 0.02
_MOST_TOGETHER_BYTES = 1024 * 1024


def work(brief: Brief, worker: int, journal: Journal, stopped: Event) -> None:
    """Work off one worker's part of a plan, and close its journal.

    Args:
        stopped: set when the run is to end now.
    """
    _stop_on_error(stopped)
    ours, theirs = socket.socketpair()
    with journal, ours:  # whatever happens here, the parent and the judging process see both end
        _Worker(brief, worker, journal, ours, theirs, stopped).work()


def _stop_on_error(stopped: Event) -> None:
    """End the run when what is called on the event loop fails: the arrival that it was about would never end."""
    hub = gevent.get_hub()
    tell = hub.handle_error

    def handle(context: object, kind: Any, value: Any, trace: Any) -> None:
        tell(context, kind, value, trace)
        if not isinstance(context, gevent.Greenlet):  # Locust has some of its own, which may fail
            stopped.set()

    hub.handle_error = handle


class _Worker:
    def __init__(
        self,
        brief: Brief,
        worker: int,
        journal: Journal,
        pipe: socket.socket,
        theirs: socket.socket,
        stopped: Event,
    ) -> None:
        self._brief = brief
        self._worker = worker
        self._journal = journal
        self._stopped = stopped
        self._waiting: list[bytes] = []
        """Frames for the judging process."""
        self._wanted = Event()
        self._ended = False
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
            self._brief,
            self._worker,
            self._journal,
            arena=self._arena,
            hand_over=self._hand_over,
            backlog=lambda: self._backlog,
            stopped=self._stopped,
        )
        sender = gevent.spawn(self._send)
        sender.link_exception(lambda _: self._stopped.set())  # nobody to judge: nothing more to send
        gc.collect()
        gc.freeze()  # the schedule is garbage at no time; looked through again and again it costs time
        self._journal.write({"ready": os.getpid(), "cap": dispatcher.cap})
        start = self._await_start()
        ticker = gevent.spawn(self._tick, dispatcher)
        ticker.link_exception(lambda _: self._stopped.set())
        cpu, wall = time.process_time(), time.monotonic()
        if start is not None:
            dispatcher.work(start)
        now = time.monotonic()
        cpu, wall = time.process_time() - cpu, now - max(wall, start or wall)
        in_flight_s = dispatcher.in_flight_s(now)
        ticker.kill()
        dispatcher.note()
        self._ended = True
        self._wanted.set()
        sender.join()
        counts = dispatcher.counts
        self._journal.write(
            {
                "footer": {
                    "worker": self._worker,
                    "complete": not self._stopped.is_set(),
                    "planned": counts.planned,
                    "sent": counts.sent,
                    "dropped": counts.dropped,
                    "answered": counts.answered,
                    "in_flight_cap": dispatcher.cap,
                    "cpu_share": round(cpu / wall, 4) if wall > 0 else None,
                    "stall_p99_s": round(quantile(sorted(self._stalls), 0.99), 6) if self._stalls else None,
                    "stall_max_s": round(max(self._stalls), 6) if self._stalls else None,
                    "in_flight_mean": round(in_flight_s / wall, 6) if wall > 0 else None,
                    "wall_s": round(wall, 6),
                }
            }
        )
        self._judging.wait()

    def _await_start(self) -> float | None:
        while not self._stopped.wait(_POLL_S):
            if self._judging.poll() is not None:
                raise RuntimeError("the judging process did not start")
            start = self._brief.beginning()
            if start is not None:
                return start
        return None

    def _hand_over(self, delivery: Delivery) -> None:
        for reply in (delivery.reply, *[picture.reply for picture in delivery.fetched]):
            if reply.lease is not None:
                self._arena.hand_over(reply.lease)
        data = frame(delivery)  # at once: a third of the memory, should the judging process fall behind
        self._backlog += len(data)
        self._waiting.append(data)
        if self._backlog >= _MOST_TOGETHER_BYTES:
            self._wanted.set()

    def _send(self) -> None:
        """Hand over what is finished, while the dispatcher goes on."""
        while self._waiting or not self._ended:
            self._wanted.wait()
            self._wanted.clear()
            while self._waiting:
                data = self._together()
                self._pipe.sendall(data)
                self._backlog -= len(data)
        if not self._stopped.is_set():
            self._pipe.sendall(END)
        self._pipe.close()

    def _together(self) -> bytes:
        """The frames that wait, as far as they are not too many."""
        size = count = 0
        while count < len(self._waiting) and size < _MOST_TOGETHER_BYTES:
            size += len(self._waiting[count])
            count += 1
        data = b"".join(self._waiting[:count])
        del self._waiting[:count]
        return data

    def _tick(self, dispatcher: Dispatcher) -> None:
        """Pass on what has come together; one waking of this process for all of it, and one of the judging process.

        And how long the event loop keeps a sleeper waiting: what it does to every stamp.
        """
        while True:
            asleep = time.monotonic()
            gevent.sleep(TOGETHER_S)
            self._stalls.append(time.monotonic() - asleep - TOGETHER_S)
            dispatcher.note()
            self._journal.flush()
            if self._waiting:
                self._wanted.set()
