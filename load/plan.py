"""The plan of a load: every arrival's time, computed before the first is sent.

Five ways to come by an arrival, `loop`:

- `open`: arrivals are due at times of their own, at the rates of the stages (stage.py); nothing waits for an answer;
- `closed`: so many clients, each of whom asks, waits for the answer, thinks, and asks again. The plan holds what they
  would ask of a server that answered at once: the most that can be sent, and cost;
- `crowd`: so many clients ask within a span, and each that is refused asks again as its retry policy says
  (crowd/). The plan holds every request that there may be, at the earliest;
- `probe`: requests look for the limit, each wave where the answers so far leave most open (limitlab/);
- `replace`: one person types; each prompt comes a seeded while after the last one, and replaces it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from testcard.core.limit import constraints
from testcard.core.record import Jsonable
from testcard.core.target import Limit
from testcard.load.capacity.plan import SearchPlan
from testcard.load.crowd.plan import CrowdPlan
from testcard.load.limitlab.plan import LimitPlan
from testcard.load.mix import PLAIN, Kind, apportioned, assigned
from testcard.load.stage import MEASURED, PHASES, WARMUP, Stage, counts, offsets, stage_at

__all__ = ["ARRIVALS", "LOOPS", "MEASURED", "MOST_ARRIVALS", "PHASES", "WARMUP", "Arrival", "LoadPlan", "Stage"]

ARRIVALS = ("constant", "poisson")
OPEN, CLOSED, REPLACE, CROWD, PROBE = LOOPS = ("open", "closed", "replace", "crowd", "probe")
MOST_ARRIVALS = 2_000_000
"""Of one run."""
_JITTER_S = 0.25


@dataclass(frozen=True, slots=True)
class Arrival:
    """One planned request."""

    index: int
    """From 0, in the order of the schedule; unique over all workers."""
    offset_s: float
    """When it is due, from the start of the load; in a closed loop the earliest that it can be."""
    phase: str
    stage: str = ""
    kind: Kind = PLAIN
    """What it asks for."""
    client: int | None = None
    """Which client of a crowd asks, from 0."""
    attempt: int = 1
    """Of a client of a crowd, whose requests follow each other in `index`."""

    @property
    def first_index(self) -> int:
        """The index of the request that this one repeats, or its own."""
        return self.index - self.attempt + 1


@dataclass(frozen=True, slots=True)
class LoadPlan(Jsonable):
    """What a load sends, and when. The same plan gives the same arrivals and the same requests."""

    scenario: str
    rate_per_s: float
    """What `--rate` says; in a closed loop the most that its clients can reach, under `replace` the mean."""
    duration_s: float
    """Of the measured phase."""
    warmup_s: float
    arrivals: str
    """`constant` or `poisson`; of an open loop."""
    processes: int
    seed: int
    in_flight_cap: int
    """Arrivals under way at once, over all workers."""
    stages: tuple[Stage, ...]
    mix: tuple[Kind, ...] = (PLAIN,)
    model: str | None = None
    loop: str = OPEN
    clients: int = 0
    """Of a closed loop, or of a crowd."""
    think_s: float = 0.0
    """Of a closed loop: from an answer to the same client's next request."""
    gap_s: tuple[float, float] = (0.0, 0.0)
    """Under `replace`: the shortest and the longest time from one prompt to the next."""
    crowd: CrowdPlan | None = None
    limit: LimitPlan | None = None
    """Of `probe`."""
    search: SearchPlan | None = None
    """Of a search for the capacity: its bounds. The stages are the dearest way that it can go; what it sends are
    plans of their own (capacity/search.py)."""

    @property
    def size(self) -> str | None:
        """The size that every request asks for; None: none, or several."""
        sizes = {kind.size for kind in self.mix}
        return next(iter(sizes)) if len(sizes) == 1 else None

    @property
    def most_n(self) -> int:
        """The most pictures that one request asks for."""
        return max(kind.n for kind in self.mix)

    @property
    def most_fetches(self) -> int:
        """The most pictures that one answer names by URL, as far as the request says how they should come."""
        return max(kind.n if kind.response_format != "b64_json" else 0 for kind in self.mix)

    @property
    def count(self) -> int:
        """Arrivals in all; in a closed loop or by a crowd the most that there can be."""
        return sum(self.by_stage())

    @property
    def images(self) -> int:
        """Images that it asks for; in a closed loop or by a crowd at most."""
        return sum(self.images_in(index) for index in range(len(self.stages)))

    @property
    def total_s(self) -> float:
        """From the start to the last moment at which an arrival may be due, seconds."""
        return sum(stage.duration_s for stage in self.stages)

    @property
    def latest_s(self) -> float:
        """The same, whatever a server asks a crowd to wait."""
        if self.crowd is None:
            return self.total_s
        each = [self.crowd.longest_s(name, self.duration_s) for name in self.crowd.policies]
        return sum(each) + self.crowd.pause_s * (len(each) - 1)

    @property
    def at_most(self) -> bool:
        """Whether it holds the most that there can be, and how much is sent is for the answers to say."""
        return self.loop in (CLOSED, CROWD, PROBE) or self.search is not None

    @property
    def key(self) -> str:
        """Role of the key that it uses."""
        special = self.crowd or self.limit
        return "main" if special is None else special.key

    def usd(self, price: float | None) -> float | None:
        """What the images cost, or None where the price is unknown."""
        return None if price is None else round(self.images * price, 6)

    def by_stage(self) -> list[int]:
        """How many arrivals each stage holds."""
        if self.loop == OPEN:
            return counts(self.stages)
        if self.crowd is not None:
            return [self.clients * self.crowd.tries(stage.name) for stage in self.stages]
        if self.limit is not None:
            return [self.limit.count]
        return [len(times) for times in _times(self)]

    def images_in(self, stage: int) -> int:
        """Images that a stage asks for."""
        if self.limit is not None:
            return self.limit.images
        return sum(kind.n * number for kind, number in zip(self.mix, self._by_kind(stage), strict=True))

    def arrivals_of(self, stage: int, size: str | None) -> int:
        """Arrivals of a stage that ask for a size; None: for any."""
        numbers = self._by_kind(stage)
        return sum(n for kind, n in zip(self.mix, numbers, strict=True) if size is None or kind.size == size)

    def _by_kind(self, stage: int) -> list[int]:
        if self.crowd is None:
            return apportioned(self.mix, self.by_stage()[stage])
        tries = self.crowd.tries(self.stages[stage].name)
        return [number * tries for number in apportioned(self.mix, self.clients)]

    def schedule(self) -> list[Arrival]:
        """Every arrival, in the order of time."""
        return list(_schedule(self))

    def share(self, worker: int) -> list[Arrival]:
        """The arrivals of one worker: every arrival belongs to exactly one."""
        return [arrival for arrival in _schedule(self) if self.worker_of(arrival.index) == worker]

    def worker_of(self, index: int) -> int:
        """Which worker an arrival belongs to: that of its client in a closed loop, otherwise in turns."""
        return self.client_of(index) % self.processes if self.loop == CLOSED else index % self.processes

    def client_of(self, index: int) -> int:
        """Which client of a closed loop asks."""
        return index % self.clients

    def worker_cap(self, worker: int) -> int:
        """The part of the in-flight cap that one worker keeps."""
        each, rest = divmod(self.in_flight_cap, self.processes)
        return each + (worker < rest)

    def stage_at(self, offset_s: float) -> Stage:
        """The stage of a moment, seconds from the start of the load."""
        return stage_at(self.stages, offset_s)

    def keeps(self, limit: Limit) -> bool:
        """Whether what it sends stays within a declared limit, in every window of it. A crowd does not mean to, nor
        does a probe."""
        if self.loop in (CROWD, PROBE):
            return False
        if self.search is not None:
            return self.search.keeps(limit)
        if self.loop == CLOSED:
            # However the server delays them, two requests of one client are at least a thought apart.
            return all(
                self.clients * (int((window + _JITTER_S) / self.think_s) + 1) <= requests
                for requests, window in constraints(limit)
            )
        times = [time for stage in _times(self) for time in stage]
        return all(_fits(times, requests, window) for requests, window in constraints(limit))


def _fits(times: Sequence[float], requests: int, window_s: float) -> bool:
    apart_s = window_s + _JITTER_S
    return all(later - earlier >= apart_s for earlier, later in zip(times, times[requests:], strict=False))


@lru_cache(maxsize=4)
def _schedule(plan: LoadPlan) -> tuple[Arrival, ...]:
    if plan.crowd is not None:
        return _of_clients(plan, plan.crowd)
    found: list[Arrival] = []
    for number, (stage, times) in enumerate(zip(plan.stages, _times(plan), strict=True)):
        kinds = assigned(plan.mix, len(times), f"{plan.seed} {plan.scenario} {number}")
        found += [
            Arrival(len(found) + index, time, stage.phase, stage.name, kind)
            for index, (time, kind) in enumerate(zip(times, kinds, strict=True))
        ]
    return tuple(found)


def _of_clients(plan: LoadPlan, crowd: CrowdPlan) -> tuple[Arrival, ...]:
    """The requests of each crowd, by client: one who asks again asks for the same."""
    found: list[Arrival] = []
    begin = 0.0
    for number, stage in enumerate(plan.stages):
        kinds = assigned(plan.mix, plan.clients, f"{plan.seed} {plan.scenario} {number}")
        for client, attempt, at in crowd.asks(stage.name, plan.clients, plan.duration_s, plan.seed):
            found.append(Arrival(len(found), begin + at, stage.phase, stage.name, kinds[client], client, attempt))
        begin += stage.duration_s
    return tuple(found)


@lru_cache(maxsize=4)
def _times(plan: LoadPlan) -> tuple[list[float], ...]:
    """When arrivals are due, by stage, ascending, from the start of the load."""
    seed = f"{plan.seed} {plan.scenario}"
    if plan.loop == OPEN:
        return tuple(offsets(plan.stages, plan.arrivals, seed))
    if plan.limit is not None:
        return ([0.0] * plan.limit.count,)  # each when it tells most: nobody knows when, and the earliest is now
    every = _asked_at_once(plan, seed) if plan.loop == CLOSED else _typed(plan, seed)
    found: list[list[float]] = []
    begin = 0.0
    for stage in plan.stages:
        end = begin + stage.duration_s
        found.append([time for time in every if begin <= time < end])
        begin = end
    return tuple(found)


def _asked_at_once(plan: LoadPlan, seed: str) -> list[float]:
    """What the clients of a closed loop ask if every answer comes at once: each begins within its first thought."""
    dice = random.Random(seed)
    begins = sorted(dice.random() * plan.think_s for _ in range(plan.clients))
    rounds = int(plan.total_s / plan.think_s) + 1
    times = (begin + number * plan.think_s for number in range(rounds) for begin in begins)
    return [time for time in times if time < plan.total_s]


def _typed(plan: LoadPlan, seed: str) -> list[float]:
    """When a person who types has a new prompt."""
    dice = random.Random(seed)
    times, now = [], 0.0
    while now < plan.total_s:
        times.append(now)
        now += dice.uniform(*plan.gap_s)
    return times
