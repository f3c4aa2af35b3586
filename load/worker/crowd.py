"""The clients of a crowd against a real server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import gevent

from testcard.load.crowd.policy import Policy, Reply, policy
from testcard.load.crowd.simulation import client_dice
from testcard.load.plan import Arrival
from testcard.load.reply import Reply as Came
from testcard.load.worker.sender import Sender


def ask_in_crowds(sender: Sender, start: float) -> None:
    """One crowd after the other, each when the window of the one before it is surely over.

    Args:
        start: when the first begins, absolute, on the monotonic clock.
    """
    crowd = sender.plan.crowd
    planned, begin = 0.0, start
    for stage in sender.plan.stages:
        clients: dict[int, list[Arrival]] = {}
        for arrival in sender.arrivals:
            if arrival.stage == stage.name and arrival.client is not None:
                clients.setdefault(arrival.client, []).append(arrival)
        late = begin - start - planned
        asking = [
            gevent.spawn(_ask, sender, own, start, late, policy(stage.name), client_dice(client, sender.plan.seed))
            for client, own in clients.items()
        ]
        gevent.joinall(asking, raise_error=True)
        planned += stage.duration_s
        begin = time.monotonic() + (crowd.pause_s if crowd else 0.0)
        if stage is not sender.plan.stages[-1] and sender.stopped.wait(begin - time.monotonic()):
            return


def _ask(sender: Sender, attempts: Sequence[Arrival], start: float, late: float, rules: Policy, dice: Random) -> None:
    """One client, until it has its picture or gives up.

    Args:
        late: how much later than planned its crowd began, seconds.
    """
    due = start + late + attempts[0].offset_s
    for taken, arrival in enumerate(attempts):
        prepared = sender.prepare(replace(arrival, offset_s=due - start), due)
        if sender.stopped.wait(max(0.0, due - time.monotonic())):
            return
        answer = sender.send(prepared)
        if answer is None:
            return
        answer.join()
        answered = time.monotonic()
        wait = rules.wait_s(_seen(answer.value), taken, dice=dice, now=time.time())
        if wait is None:
            return
        due = answered + wait


def _seen(came: Came | None) -> Reply:
    """What a client sees of it; an answer that never became complete is none."""
    if came is None or came.status is None or came.failure is not None:
        return Reply(None, {})
    return Reply(came.status, {name.lower(): value for name, value in came.headers})
