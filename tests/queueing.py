"""Servers whose capacity is known: c places, one queue in the order of arrival, independent service times."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterable, Iterator

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
