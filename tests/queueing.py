"""Servers whose capacity is known: queues of c places, a cap that refuses, a limiter; independent service times."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from testcard.core.target import Slo

Service = Callable[[random.Random], float]


def sojourns(arrivals: Iterable[float], places: int, service: Service, dice: random.Random) -> Iterator[float]:
    """From coming to being served, seconds, of each arrival at ascending times (Kiefer and Wolfowitz, 1955)."""
    free = [0.0] * places
    for now in arrivals:
        begins = max(now, heapq.heappop(free))
        ends = begins + service(dice)
        heapq.heappush(free, ends)
        yield ends - now


def late_share(rate: float, bound_s: float, places: int, service: Service, *, arrivals: int, seed: int = 1) -> float:
    """The share of Poisson arrivals over a bound, in the long run, by simulation."""
    dice, came = random.Random(seed), 0.0
    times = []
    for _ in range(arrivals):
        came += dice.expovariate(rate)
        times.append(came)
    spans = list(sojourns(times, places, service, dice))[arrivals // 20 :]
    return sum(span > bound_s for span in spans) / len(spans)


def late_share_mmc(rate: float, bound_s: float, places: int, mean_s: float) -> float:
    """The same where service times are exponential (Gross, Shortle, Thompson and Harris, Queueing, section 3.3)."""
    load, leaves = rate * mean_s, 1 / mean_s
    if load >= places:
        return 1.0
    terms = [load**k / math.factorial(k) for k in range(places)]
    last = load**places / math.factorial(places) * places / (places - load)
    waits = last / (sum(terms) + last)
    apart = places - 1 - load
    grown = leaves * bound_s if abs(apart) < 1e-9 else (1 - math.exp(-leaves * bound_s * apart)) / apart
    return math.exp(-leaves * bound_s) * (1 + waits * grown)


def highest_rate(late: Callable[[float], float], allowed: float, top: float) -> float:
    """The rate at which the share of late arrivals is what is allowed; it grows with the rate."""
    low, high = 0.0, top
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if late(middle) <= allowed else (low, middle)
    return low


def erlang_b(offered: float, places: int) -> float:
    """The share of Poisson arrivals that find every place taken and are refused, whatever the service times
    (Gross, Shortle, Thompson and Harris, section 3.5)."""
    blocked = 1.0
    for taken in range(1, places + 1):
        blocked = offered * blocked / (taken + offered * blocked)
    return blocked


Answer = tuple[str, float]
"""Outcome and seconds."""


@dataclass(frozen=True, slots=True)
class Server:
    """What arrivals at ascending times meet, and what is known of it."""

    name: str
    answers: Callable[[Sequence[float], random.Random], Iterable[Answer]]
    late: Callable[[float, float], float] | None
    """The share late in the long run, by rate and bound, in closed form; None: by a long simulation."""
    most_per_s: float
    """A rate above its capacity."""

    def capacity(self, slo: Slo, *, arrivals: int = 200_000) -> float:
        """The highest Poisson rate at which the SLO holds in the long run; so many arrivals are simulated a rate."""
        late = self.late or partial(self._simulated, arrivals=arrivals)
        return highest_rate(lambda rate: late(rate, slo.bound_s), 1 - slo.quantile, self.most_per_s)

    def _simulated(self, rate: float, bound_s: float, *, arrivals: int) -> float:
        dice, came, times = random.Random(1), 0.0, []
        for _ in range(arrivals):
            came += dice.expovariate(rate)
            times.append(came)
        met = list(self.answers(times, dice))[arrivals // 20 :]
        return sum(outcome != "valid" or span > bound_s for outcome, span in met) / len(met)


def queue(name: str, places: int, service: Service, mean_s: float, *, exponential: bool = False) -> Server:
    """Places with one queue, empty at the begin."""

    def answers(times: Sequence[float], dice: random.Random) -> Iterable[Answer]:
        return (("valid", span) for span in sojourns(times, places, service, dice))

    def late(rate: float, bound_s: float) -> float:
        return late_share_mmc(rate, bound_s, places, mean_s)

    return Server(name, answers, late if exponential else None, places / mean_s)


def exponential(mean_s: float) -> Service:
    """Service times without memory."""
    return lambda dice: dice.expovariate(1 / mean_s)


def markov(name: str, places: int, mean_s: float) -> Server:
    """M/M/c."""
    return queue(name, places, exponential(mean_s), mean_s, exponential=True)


def fixed(name: str, places: int, service_s: float) -> Server:
    """M/D/c."""
    return queue(name, places, lambda _: service_s, service_s)


def capped(name: str, places: int, mean_s: float) -> Server:
    """Who finds every place taken gets a 503 at once."""

    def answers(times: Sequence[float], dice: random.Random) -> Iterator[Answer]:
        busy: list[float] = []
        for now in times:
            while busy and busy[0] <= now:
                heapq.heappop(busy)
            if len(busy) >= places:
                yield "server-error", 0.002
                continue
            span = dice.expovariate(1 / mean_s)
            heapq.heappush(busy, now + span)
            yield "valid", span

    def late(rate: float, bound_s: float) -> float:
        blocked = erlang_b(rate * mean_s, places)
        return blocked + (1 - blocked) * math.exp(-bound_s / mean_s)

    return Server(name, answers, late, 10 * places / mean_s)


def bucket(name: str, refill_per_s: float, holds: float) -> Server:
    """A token bucket that answers 429, full at the begin."""

    def answers(times: Sequence[float], _: random.Random) -> Iterator[Answer]:
        tokens, before = holds, 0.0
        for now in times:
            tokens, before = min(holds, tokens + (now - before) * refill_per_s), now
            taken = tokens >= 1
            tokens -= taken
            yield ("valid", 0.05) if taken else ("limited", 0.002)

    return Server(name, answers, None, 10 * refill_per_s)
