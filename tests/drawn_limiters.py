"""Limiters drawn by chance, each behind a network of its own, in virtual time: what is to be identified."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from wild_limiters import (
    Banning,
    Bucket,
    Counter,
    FixedClock,
    FixedFirst,
    Gcra,
    Interval,
    Log,
    NoLimit,
    Parallel,
    Postponing,
    RefusedBucket,
    RefusedCounter,
    Renewed,
    Rolling,
    Shared,
    SubBuckets,
    TwoLogs,
    Wild,
)

KNOWN = (
    "no-limit-seen",
    "fixed-clock",
    "fixed-first",
    "sliding-log",
    "sliding-counter",
    "bucket",
    "rolling",
    "two-tier",
    "concurrency",
)
UNKNOWN = ("interval-refill", "stepped-window")
REFUSALS = ("log-of-all", "counter-of-all", "bucket-of-all", "renewed-window", "postponing", "banning", "shared")
"""What refused requests change, and what others use."""
RECOGNISED = {
    "log-of-all": ("sliding-log", True),
    "counter-of-all": ("sliding-counter", True),
    "bucket-of-all": ("bucket", True),
    "renewed-window": ("idle-window", True),
    "postponing": ("lockout", True),
    "banning": ("lockout", False),
}
"""By which kind they are recognised, and whether refused requests count then, if that is told."""
LIARS: dict[str, Callable[[float, random.Random], float | None]] = {
    "honest": lambda wait, _: max(1, math.ceil(wait)),
    "early": lambda wait, _: max(1, round(wait / 4)),
    "late": lambda wait, _: math.ceil(wait * 10),
    "missing": lambda _, __: None,
    "unrelated": lambda _, dice: dice.randint(1, 60),
}
"""What Retry-After says of the true wait."""
HEADERS = LIARS | {
    "rounded-down": lambda wait, _: math.floor(wait),
    "dated": lambda wait, dice: math.ceil(wait + (now := dice.random())) - math.floor(now),
}
"""The same, and two that are honest as well: whole seconds, and a date beside another."""


@dataclass(frozen=True)
class Truth:
    """What a drawn limiter is, and the network before it."""

    kind: str
    limit: float | None
    """Requests per window; for rates, in 60 s."""
    window: float | None
    limiter: Wild
    jitter: tuple[float, float]
    service: float
    header: str

    @property
    def heard(self) -> str:
        """What Retry-After should be judged as."""
        return self.header if self.header in LIARS else "honest"

    def right_limit(self, value: float | None) -> bool:
        return self.limit is None or (value is not None and abs(value - self.limit) <= 0.05 * self.limit)

    def right_window(self, value: float | None) -> bool:
        return self.window is None or (value is not None and abs(value - self.window) <= 0.05 * self.window)


def draw(
    number: int,
    *,
    rpm: int = 10,
    names: tuple[str, ...] = KNOWN,
    seed: int = 0,
    window_s: float | None = None,
    headers: tuple[str, ...] = tuple(LIARS),
) -> Truth:
    """The limiter of a number: kinds in turn, everything else by chance; a window may be given."""
    dice = random.Random(f"{seed} {number} {rpm}")
    kind = names[number % len(names)]
    limit = max(2, round(rpm * (dice.uniform(0.5, 1.5) if dice.random() < 1 / 3 else 1.0)))
    window = dice.choice([60.0, 60.0, dice.uniform(10, 120), dice.uniform(10, 120)])
    window = window_s or window
    shift, strict = dice.uniform(0, window), dice.random() < 0.5
    burst, factor = max(1, round(limit * dice.choice([1.0, 1.0, 0.3, 1.5]))), dice.choice([1.5, 2.0, 3.0])
    short, span = max(1, round(limit * dice.uniform(0.2, 0.5))), window * dice.uniform(0.03, 0.15)
    parts = dice.choice([3, 4, 5, 6])
    limiters: dict[str, Wild] = {
        "no-limit-seen": NoLimit(),
        "fixed-clock": FixedClock(limit, window, shift),
        "fixed-first": FixedFirst(limit, window),
        "sliding-log": Log(limit, window),
        "sliding-counter": Counter(limit, window, shift, strict),
        "bucket": Bucket(burst, limit / window) if strict else Gcra(burst, limit / window),
        "rolling": Rolling(limit, window, factor, min(10.0, window / 4)),
        "two-tier": TwoLogs(limit, window, short, span),
        "concurrency": Parallel(limit),
        "interval-refill": Interval(limit, window / parts, max(1, limit // 4), shift),
        "stepped-window": SubBuckets(limit, window, parts, shift),
        "log-of-all": Log(limit, window, counts_refused=True),
        "counter-of-all": RefusedCounter(limit, window, shift, strict),
        "bucket-of-all": RefusedBucket(burst, limit / window, dice.choice([0.0, 3.0, math.inf])),
        "renewed-window": Renewed(limit, window),
        "postponing": Postponing(limit, window, dice.choice([None, window / 2])),
        "banning": Banning(limit, window, window * dice.uniform(0.5, 2.0)),
        "shared": Shared(limit, window, limit / window * dice.uniform(0.2, 0.7), number),
    }
    counted = kind not in ("no-limit-seen", "concurrency")
    low = dice.uniform(0.02, 0.1)
    return Truth(
        kind=kind,
        limit=(limit * 60 / window if "bucket" in kind else limit) if counted else None,
        window=window if counted and "bucket" not in kind else None,
        limiter=limiters[kind],
        jitter=(low, dice.uniform(low + 0.02, 0.2)),
        service=dice.uniform(0.8, 4.0) if kind == "concurrency" else dice.choice([0.0, dice.uniform(0.5, 3.0)]),
        header=dice.choice(headers),
    )


@dataclass(frozen=True)
class Seen:
    """One request of a wave, as its client saw it."""

    sent: float
    answered: float
    admitted: bool
    promised: float | None
    waits: float | None
    """How long it would really have had to wait, from the answer."""
    by_date: bool = False


@dataclass
class Network:
    """Carries waves to a limiter and back, in virtual time."""

    truth: Truth
    seed: int
    open: list[float] = field(default_factory=list)
    """When the requests under way will be answered."""

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._liar = random.Random(self.seed)

    def send(self, at: float, count: int) -> Iterator[Seen]:
        low, high = self.truth.jitter
        sent = [at + 0.002 * number for number in range(count)]
        trips = sorted((moment + self._dice.uniform(low, high), moment) for moment in sent)
        for arrives, leaves in trips:
            for end in sorted(self.open):
                if end <= arrives:
                    self.truth.limiter.done()
                    self.open.remove(end)
            passes, wait = self.truth.limiter.decide(arrives)
            ends = arrives + (self.truth.service if passes else 0.001)
            if passes:
                self.open.append(ends)
            back = ends + self._dice.uniform(low, high)
            if passes:
                yield Seen(leaves, back, True, None, None)
            else:
                said = HEADERS[self.truth.header](wait, self._liar)
                yield Seen(leaves, back, False, said, max(0.0, wait - back + arrives), self.truth.header == "dated")
