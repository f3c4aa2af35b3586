"""What Locust runs: one user per worker process, who dispatches that worker's part of the plan.

This file, and what only it imports, is the only place for locust and gevent: importing them patches sockets. It
runs in processes of its own, started by run.py as

    python -m locust -f locustfile.py --headless

with the path of a brief in the environment. Locust gives processes, master and workers; its own table stays empty,
since no figure is taken from it. Standard input is a lifeline: when it ends, the parent wants an end, or is no more.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import gevent
from gevent.event import Event
from gevent.socket import wait_read
from locust import User, constant, events, task

from testcard.load.brief import Brief
from testcard.load.journal import Journal
from testcard.load.worker import work

_GRACE_S = 3.0

_brief = Brief.read()
_stopped = Event()


def _hold_the_line(**_: Any) -> None:
    """End with the parent, whatever Locust is doing."""

    parent = os.getppid()

    def watch() -> None:
        while True:
            wait_read(0)
            if not os.read(0, 1):
                break
        _stopped.set()
        gevent.sleep(_GRACE_S)  # workers write their footers
        if os.getppid() != parent:  # nobody is left to take them in
            shutil.rmtree(_brief.directory, ignore_errors=True)
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
            work(_brief, worker, journal, _stopped)
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
