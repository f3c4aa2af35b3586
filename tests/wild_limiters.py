"""Limiters as others would write them: one request at a time, plain Python, and nothing of ours in them.

`decide(now)` says whether one request passes and how many seconds until one would; `done()` tells that a
request that passed has been answered.
"""

from __future__ import annotations

import math
import random
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


@dataclass
class RefusedCounter(Counter):
    """Counts before it asks, so that what it refuses fills the window as well."""

    def decide(self, now: float) -> tuple[bool, float]:
        passes, wait = super().decide(now)
        if not passes:
            number = math.floor((now + self.shift) / self.window)
            self.counts[number] = self.counts.get(number, 0) + 1
        return passes, wait


@dataclass
class RefusedBucket(Wild):
    """A bucket that pays for refusals too, down to a debt of `debt` tokens."""

    burst: int
    rate: float
    debt: float
    level: float = math.nan
    last: float = 0.0

    def decide(self, now: float) -> tuple[bool, float]:
        if math.isnan(self.level):
            self.level, self.last = float(self.burst), now
        self.level = min(self.burst, self.level + (now - self.last) * self.rate)
        self.last = now
        passes = self.level >= 1
        self.level = max(-self.debt, self.level - 1)
        return passes, 0.0 if passes else (1 - self.level) / self.rate


@dataclass
class Renewed(Wild):
    """Redis' INCR and EXPIRE with every request: the count is forgotten only after a window without any."""

    limit: int
    window: float
    until: float = -math.inf
    used: int = 0

    def decide(self, now: float) -> tuple[bool, float]:
        if now >= self.until:
            self.used = 0
        self.until = now + self.window
        self.used += 1
        return self.used <= self.limit, self.window


@dataclass
class Postponing(Wild):
    """A log; whoever asks again while refused waits anew, `span` long or as long as the first time."""

    limit: int
    window: float
    span: float | None
    until: float = -math.inf
    wait: float = 0.0

    def __post_init__(self) -> None:
        self.log = Log(self.limit, self.window)

    def decide(self, now: float) -> tuple[bool, float]:
        if now < self.until:
            self.until = now + self.wait
            return False, self.wait
        passes, wait = self.log.decide(now)
        if not passes:
            self.wait = self.span or wait
            self.until = now + self.wait
        return passes, self.wait if not passes else 0.0


@dataclass
class Banning(Wild):
    """Over the limit of a fixed window nothing passes for a time that no request prolongs."""

    limit: int
    window: float
    span: float
    until: float = -math.inf

    def __post_init__(self) -> None:
        self.first = FixedFirst(self.limit, self.window)

    def decide(self, now: float) -> tuple[bool, float]:
        if now < self.until:
            return False, self.until - now
        passes, _ = self.first.decide(now)
        if not passes:
            self.until = now + self.span
            self.first = FixedFirst(self.limit, self.window)
        return passes, 0.0 if passes else self.span


@dataclass
class Shared(Wild):
    """A log that somebody else uses as well."""

    limit: int
    window: float
    others_per_s: float
    seed: int

    def __post_init__(self) -> None:
        self.log = Log(self.limit, self.window)
        self.dice = random.Random(self.seed)
        self.next = self.dice.expovariate(self.others_per_s)

    def decide(self, now: float) -> tuple[bool, float]:
        while self.next <= now:
            self.log.decide(self.next)
            self.next += self.dice.expovariate(self.others_per_s)
        return self.log.decide(now)
