"""Every option of the mock."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from testcard import schemas
from testcard.core.errors import UsageError
from testcard.core.target import Limit
from testcard.mock_server.faults import FAULTS
from testcard.mock_server.latency import Latency
from testcard.mock_server.limiter import KINDS, Shape
from testcard.mock_server.promise import promise

_USUAL_TAIL = 3.0
"""p99 over median, where only the median is given."""


@dataclass(frozen=True, slots=True)
class MockSettings:
    """How the mock behaves. The defaults keep every promise and add no latency.

    Raises:
        UsageError: an option has no meaning; the sentence says which and why.
    """

    faults: tuple[str, ...] = ()
    dialect: str = "page"
    """Whose error documents it speaks: `page`, `vendor` or `openai`."""
    model: str | None = None
    """The model that it serves; None: that of the profile `mock`."""
    seed: int = 1
    rpm: int | None = None
    """Requests per window for every key; None: each key's own limit."""
    window_s: float | None = None
    burst: float | None = None
    """Times the even rate for 10 s; 1: no burst; None: each key's own."""
    limiter: str = "rolling"
    """One of `KINDS`."""
    bucket: int | None = None
    """Tokens that a token bucket holds; None: the requests of a window, and what a burst adds."""
    tier: tuple[int, float] | None = None
    """Requests and seconds of the shorter of two tiers; None: half the requests in a sixth of the window."""
    latency_median_s: float = 0.0
    latency_p99_s: float | None = None
    """None: three times the median."""
    latency_factors: tuple[tuple[str, float], ...] = ()
    """Sizes that take so many times as long."""
    capacity: int | None = None
    """Generations at once; None: any number."""
    queue: int | None = None
    """Generations that may wait for a place; None: any number."""
    unavailable_rate: float = 0.0
    """The share of generations that is answered with a documented 503."""
    server_timing: bool = False
    """Whether answers say how long what took (Server-Timing)."""

    def __post_init__(self) -> None:
        for name in self.faults:
            if name not in FAULTS:
                near = difflib.get_close_matches(name, FAULTS, n=1)
                hint = f"did you mean {near[0]}?" if near else "docs/mock.md lists them all"
                raise UsageError(f"there is no fault {name!r}; {hint}")
            if FAULTS[name].shown is not None:
                raise UsageError(f"the fault {name} is none that a server on loopback can show: choose another")
        sizes = promise().sizes
        p99 = self.latency_p99_s
        dialects = schemas.dialects()
        wrong = (
            (self.dialect not in dialects, f"dialect {self.dialect!r}: one of {', '.join(dialects)}"),
            (self.rpm is not None and self.rpm < 1, "rpm must be at least 1"),
            (self.window_s is not None and self.window_s <= 0, "the window must be longer than 0 s"),
            (self.burst is not None and self.burst < 1, "burst must be at least 1, which means none"),
            (self.limiter not in KINDS, f"limiter {self.limiter!r}: one of {', '.join(KINDS)}"),
            (self.bucket is not None and self.limiter != "token-bucket", "only a token-bucket has a bucket"),
            (self.bucket is not None and self.bucket < 1, "the bucket must hold at least 1 token"),
            (self.tier is not None and self.limiter != "two-tier", "only a two-tier limiter has a tier"),
            (self.tier is not None and (self.tier[0] < 1 or self.tier[1] <= 0), "a tier has a request and a span"),
            (self.latency_median_s < 0, "the median latency must not be negative"),
            (p99 is not None and p99 > 0 and self.latency_median_s == 0, "a p99 latency needs a median"),
            (p99 is not None and p99 < self.latency_median_s, "the p99 latency must not be below the median"),
            (any(size not in sizes for size, _ in self.latency_factors), f"size: one of {', '.join(sizes)}"),
            (any(factor <= 0 for _, factor in self.latency_factors), "a latency factor must be above 0"),
            (self.capacity is not None and self.capacity < 1, "capacity must be at least 1"),
            (self.queue is not None and self.queue < 0, "the queue must not be negative"),
            (self.queue is not None and self.capacity is None, "a queue needs a capacity"),
            (not 0 <= self.unavailable_rate <= 1, "the unavailable rate is a share between 0 and 1"),
        )  # fmt: skip
        for applies, sentence in wrong:
            if applies:
                raise UsageError(f"mock: {sentence}")

    @property
    def shape(self) -> Shape:
        return Shape(self.limiter, self.bucket, Limit(*self.tier) if self.tier else None)

    @property
    def latency(self) -> Latency:
        p99 = self.latency_p99_s if self.latency_p99_s is not None else _USUAL_TAIL * self.latency_median_s
        return Latency(self.latency_median_s, p99, dict(self.latency_factors))
