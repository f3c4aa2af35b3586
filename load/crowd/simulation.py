"""A crowd on a virtual clock: a policy against a limiter, without a network, in milliseconds.

What it leaves out is what differs between machines: the time that requests travel and that clients think. A real
crowd (scenario `crowd`) has both.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random

from testcard.load.crowd.attempt import Attempt
from testcard.load.crowd.policy import Policy, Reply
from testcard.mock_server.limiter import Limiter

_ASK, _END = 1, 0  # at the same moment a place is given back before it is asked for


def first_asks(clients: int, span_s: float, seed: int) -> list[float]:
    """When each client asks first: independent, uniform in the span, ascending."""
    dice = Random(f"crowd {seed}")
    return sorted(dice.random() * span_s for _ in range(clients))


def client_dice(client: int, seed: int) -> Random:
    """The chance in one client's waits, the same whoever else is there."""
    return Random(f"crowd {seed} {client}")


def simulate(
    policy: Policy,
    limiter: Limiter,
    *,
    clients: int,
    span_s: float,
    seed: int = 1,
    service_s: Callable[[Random], float] = lambda _: 0.0,
    begin_s: float = 0.0,
) -> list[Attempt]:
    """Every attempt of a crowd, in the order of asking.

    Args:
        clients: each wants one picture.
        span_s: within which they first ask.
        service_s: how long a picture takes; a refusal takes no time.
        begin_s: on the limiter's clock, where its windows follow the clock.
    """
    dice = [client_dice(client, seed) for client in range(clients)]
    events = [(begin_s + at, _ASK, client, 1) for client, at in enumerate(first_asks(clients, span_s, seed))]
    heapq.heapify(events)
    told: list[Attempt] = []
    while events:
        now, what, client, number = heapq.heappop(events)
        if what == _END:
            limiter.release()
            continue
        admission = limiter.admit(now)
        if admission.admitted:
            end = now + service_s(dice[client])
            told.append(Attempt(client, number, now - begin_s, "valid", end - begin_s))
            heapq.heappush(events, (end, _END, client, number))
            continue
        told.append(Attempt(client, number, now - begin_s, "limited", now - begin_s))
        reply = Reply(429, {"retry-after": admission.retry_after})
        wait = policy.wait_s(reply, number - 1, dice=dice[client], now=now)
        if wait is not None:
            heapq.heappush(events, (now + wait, _ASK, client, number + 1))
    return told
