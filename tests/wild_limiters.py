"""Limiters as others would write them: one request at a time, plain Python, and nothing of ours in them.

`decide(now)` says whether one request passes and how many seconds until one would; `done()` tells that a
request that passed has been answered.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


class Wild:
    """A limiter. `now` never goes back."""

    def decide(self, now: float) -> tuple[bool, float]:
        raise NotImplementedError

    def done(self) -> None:
        """A request that passed was answered."""


@dataclass
class NoLimit(Wild):
    def decide(self, now: float) -> tuple[bool, float]:  # noqa: ARG002 (a clock that it does not need)
        return True, 0.0


@dataclass
class FixedClock(Wild):
    limit: int
    window: float
    shift: float
    epoch: float = -math.inf
    used: int = 0

    def decide(self, now: float) -> tuple[bool, float]:
        number = math.floor((now + self.shift) / self.window)
        if number != self.epoch:
            self.epoch, self.used = number, 0
        if self.used < self.limit:
            self.used += 1
            return True, 0.0
        return False, (number + 1) * self.window - self.shift - now


@dataclass
class FixedFirst(Wild):
    limit: int
    window: float
    until: float = -math.inf
    used: int = 0

    def decide(self, now: float) -> tuple[bool, float]:
        if now >= self.until:
            self.until, self.used = now + self.window, 0
        if self.used < self.limit:
            self.used += 1
            return True, 0.0
        return False, self.until - now


@dataclass
class Log(Wild):
    limit: int
    window: float
    counts_refused: bool = False
    stamps: list[float] = field(default_factory=list)

    def decide(self, now: float) -> tuple[bool, float]:
        self.stamps = [stamp for stamp in self.stamps if stamp > now - self.window]
        if len(self.stamps) < self.limit:
            self.stamps.append(now)
            return True, 0.0
        if self.counts_refused:
            self.stamps.append(now)
        return False, self.stamps[-self.limit] + self.window - now


@dataclass
class Counter(Wild):
    """As in Cloudflare's "How we built rate limiting capable of scaling to millions of domains" (2017)."""

    limit: int
    window: float
    shift: float
    strict: bool
    counts: dict[int, int] = field(default_factory=dict)

    def estimate(self, now: float) -> float:
        number = math.floor((now + self.shift) / self.window)
        gone = (now + self.shift) / self.window - number
        return self.counts.get(number, 0) + (1 - gone) * self.counts.get(number - 1, 0)

    def decide(self, now: float) -> tuple[bool, float]:
        if self.fits(now):
            number = math.floor((now + self.shift) / self.window)
            self.counts[number] = self.counts.get(number, 0) + 1
            return True, 0.0
        wait = 0.0
        while not self.fits(now + wait):
            wait += self.window / 2000
        return False, wait

    def fits(self, now: float) -> bool:
        held = self.estimate(now)
        return held + 1 <= self.limit if self.strict else held < self.limit


@dataclass
class Bucket(Wild):
    burst: int
    rate: float
    level: float = -1.0
    last: float = 0.0

    def decide(self, now: float) -> tuple[bool, float]:
        if self.level < 0:
            self.level, self.last = float(self.burst), now
        self.level = min(self.burst, self.level + (now - self.last) * self.rate)
        self.last = now
        if self.level >= 1:
            self.level -= 1
            return True, 0.0
        return False, (1 - self.level) / self.rate


@dataclass
class Gcra(Wild):
    """The bucket again, as a theoretical arrival time."""

    burst: int
    rate: float
    arrival: float = -math.inf

    def decide(self, now: float) -> tuple[bool, float]:
        arrival = max(self.arrival, now)
        early = arrival - (self.burst - 1) / self.rate
        if now < early:
            return False, early - now
        self.arrival = arrival + 1 / self.rate
        return True, 0.0


@dataclass
class Rolling(Wild):
    """60 s rolling window with a small burst allowance (2x RPM for 10 seconds)."""

    limit: int
    window: float
    factor: float
    span: float = 10.0
    stamps: list[float] = field(default_factory=list)

    def decide(self, now: float) -> tuple[bool, float]:
        if self.fits(now):
            self.stamps.append(now)
            return True, 0.0
        wait = 0.0
        while not self.fits(now + wait):
            wait += 0.02
        return False, wait

    def fits(self, now: float) -> bool:
        held = sum(1 for stamp in self.stamps if stamp > now - self.window)
        if held < self.limit:
            return True
        recent = sum(1 for stamp in self.stamps if stamp > now - self.span)
        even = self.limit / self.window * self.span
        return recent < math.ceil(self.factor * even) and held < math.ceil(self.limit + (self.factor - 1) * even)


@dataclass
class TwoLogs(Wild):
    limit: int
    window: float
    short_limit: int
    short_window: float
    stamps: list[float] = field(default_factory=list)

    def decide(self, now: float) -> tuple[bool, float]:
        waits = [0.0]
        for limit, window in ((self.limit, self.window), (self.short_limit, self.short_window)):
            held = [stamp for stamp in self.stamps if stamp > now - window]
            if len(held) >= limit:
                waits.append(held[-limit] + window - now)
        if max(waits) <= 0:
            self.stamps.append(now)
            return True, 0.0
        return False, max(waits)


@dataclass
class Parallel(Wild):
    cap: int
    busy: int = 0

    def decide(self, now: float) -> tuple[bool, float]:  # noqa: ARG002 (a clock that it does not need)
        if self.busy < self.cap:
            self.busy += 1
            return True, 0.0
        return False, 1.0

    def done(self) -> None:
        self.busy -= 1


@dataclass
class Interval(Wild):
    """Some tokens at once, at every tick."""

    burst: int
    period: float
    refill: int
    shift: float
    level: int = -1
    tick: int = 0

    def decide(self, now: float) -> tuple[bool, float]:
        tick = math.floor((now + self.shift) / self.period)
        if self.level < 0:
            self.level, self.tick = self.burst, tick
        self.level = min(self.burst, self.level + (tick - self.tick) * self.refill)
        self.tick = tick
        if self.level >= 1:
            self.level -= 1
            return True, 0.0
        return False, (tick + 1) * self.period - self.shift - now


@dataclass
class SubBuckets(Wild):
    """A window of several parts; the oldest part leaves as a whole."""

    limit: int
    window: float
    parts: int
    shift: float
    counts: dict[int, int] = field(default_factory=dict)

    def decide(self, now: float) -> tuple[bool, float]:
        width = self.window / self.parts
        number = math.floor((now + self.shift) / width)
        held = {part: count for part, count in self.counts.items() if part > number - self.parts}
        if sum(held.values()) < self.limit:
            self.counts[number] = self.counts.get(number, 0) + 1
            return True, 0.0
        left, over = sum(held.values()), self.limit
        for part in sorted(held):
            left -= held[part]
            if left < over:
                return False, (part + self.parts) * width - self.shift - now
        raise AssertionError


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
LIARS: dict[str, Callable[[float, random.Random], float | None]] = {
    "honest": lambda wait, _: max(1, math.ceil(wait)),
    "early": lambda wait, _: max(1, round(wait / 4)),
    "late": lambda wait, _: math.ceil(wait * 10),
    "missing": lambda _, __: None,
    "unrelated": lambda _, dice: dice.randint(1, 60),
}
"""What Retry-After says of the true wait."""


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

    def right_limit(self, value: float | None) -> bool:
        return self.limit is None or (value is not None and abs(value - self.limit) <= 0.05 * self.limit)

    def right_window(self, value: float | None) -> bool:
        return self.window is None or (value is not None and abs(value - self.window) <= 0.05 * self.window)


def draw(number: int, *, rpm: int = 10, names: tuple[str, ...] = KNOWN, seed: int = 0) -> Truth:
    """The limiter of a number: kinds in turn, everything else by chance."""
    dice = random.Random(f"{seed} {number} {rpm}")
    kind = names[number % len(names)]
    limit = max(2, round(rpm * (dice.uniform(0.5, 1.5) if dice.random() < 1 / 3 else 1.0)))
    window = dice.choice([60.0, 60.0, dice.uniform(10, 120), dice.uniform(10, 120)])
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
    }
    counted = kind not in ("no-limit-seen", "concurrency")
    low = dice.uniform(0.02, 0.1)
    return Truth(
        kind=kind,
        limit=(limit * 60 / window if kind == "bucket" else limit) if counted else None,
        window=window if counted and kind != "bucket" else None,
        limiter=limiters[kind],
        jitter=(low, dice.uniform(low + 0.02, 0.2)),
        service=dice.uniform(0.8, 4.0) if kind == "concurrency" else dice.choice([0.0, dice.uniform(0.5, 3.0)]),
        header=dice.choice(tuple(LIARS)),
    )


@dataclass(frozen=True)
class Seen:
    """One request of a wave, as its client saw it."""

    sent: float
    answered: float
    admitted: bool
    promised: float | None


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
            yield Seen(leaves, back, passes, None if passes else LIARS[self.truth.header](wait, self._liar))
