"""When requests are sent: four ways over one dispatcher.

- open: each at its planned time, whatever became of those before it;
- closed: each of a number of clients waits for its answer, thinks, and asks again;
- crowd: each of a number of clients asks again as its retry policy says (crowd.py);
- replace: a new prompt at each planned time, and the request before it is cancelled if it has not been answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import gevent

from testcard.load.plan import CLOSED, CROWD, OPEN, REPLACE, Arrival
from testcard.load.worker.alarm import Alarm
from testcard.load.worker.crowd import ask_in_crowds
from testcard.load.worker.sender import Sender, UnderWay


def _open(sender: Sender, start: float) -> None:
    times = [start + arrival.offset_s for arrival in sender.arrivals]
    alarm = Alarm(times, sender.stopped)
    try:
        for arrival, due in zip(sender.arrivals, times, strict=True):
            prepared = sender.prepare(arrival, due)  # before it is due, not after
            if alarm.wait_until(due):
                return
            sender.send(prepared)
    finally:
        alarm.close()


def _closed(sender: Sender, start: float) -> None:
    clients: dict[int, list[Arrival]] = {}
    for arrival in sender.arrivals:
        clients.setdefault(sender.plan.client_of(arrival.index), []).append(arrival)
    gevent.joinall([gevent.spawn(_client, sender, own, start) for own in clients.values()], raise_error=True)


def _client(sender: Sender, arrivals: Sequence[Arrival], start: float) -> None:
    """One client: what it asks is planned, and when it does is for the answers to say."""
    due = start + arrivals[0].offset_s
    for arrival in arrivals:
        offset_s = due - start
        if offset_s >= sender.plan.total_s:
            return
        stage = sender.plan.stage_at(offset_s)
        prepared = sender.prepare(
            replace(arrival, offset_s=offset_s, phase=stage.phase, stage=stage.name),
            due,
        )
        if sender.stopped.wait(max(0.0, due - time.monotonic())):
            return
        answer = sender.send(prepared)
        if answer is not None:
            answer.join()
        due = time.monotonic() + sender.plan.think_s


def _replace(sender: Sender, start: float) -> None:
    times = [start + arrival.offset_s for arrival in sender.arrivals]
    alarm = Alarm(times, sender.stopped)
    last: UnderWay | None = None
    try:
        for arrival, due in zip(sender.arrivals, times, strict=True):
            prepared = sender.prepare(arrival, due)
            if alarm.wait_until(due):
                return
            if last is not None:
                last.cancel()
            last = sender.send(prepared)
    finally:
        alarm.close()


LOOPS: dict[str, Callable[[Sender, float], None]] = {
    OPEN: _open,
    CLOSED: _closed,
    REPLACE: _replace,
    CROWD: ask_in_crowds,
}
"""How a load goes on, by `LoadPlan.loop`."""
