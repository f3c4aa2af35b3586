"""Per-key request limits: one kind, one module, on a clock that is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from testcard.core.target import Limit
from testcard.mock_server.limiter.admission import Admission, Counter, Limiter
from testcard.mock_server.limiter.concurrency import ConcurrencyCap
from testcard.mock_server.limiter.fixedwindow import ClockWindow, FirstRequestWindow
from testcard.mock_server.limiter.rolling import RollingWindow
from testcard.mock_server.limiter.slidingcounter import SlidingCounter
from testcard.mock_server.limiter.slidinglog import SlidingLog
from testcard.mock_server.limiter.surplus import window_most
from testcard.mock_server.limiter.tokenbucket import TokenBucket
from testcard.mock_server.limiter.twotiers import TwoTiers

__all__ = ["KINDS", "Admission", "Counter", "Limiter", "Shape", "limiter"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kind needs beyond the declared limit."""

    kind: str
    bucket: int | None = None
    """Tokens that a bucket holds; None: the requests of a window."""
    tier: Limit | None = None
    """The shorter of two tiers; None: half of the requests in a sixth of the window."""


def _tier(limit: Limit) -> Limit:
    return Limit(max(1, limit.requests // 2), limit.window_s / 6)


KINDS: Mapping[str, Callable[[Limit, Shape], Limiter]] = {
    "rolling": lambda limit, _: RollingWindow(limit),
    "fixed-clock": lambda limit, _: ClockWindow(limit, window_most(limit)),
    "fixed-first": lambda limit, _: FirstRequestWindow(limit, window_most(limit)),
    "sliding-log": lambda limit, _: SlidingLog(limit, window_most(limit)),
    "sliding-counter": lambda limit, _: SlidingCounter(limit, window_most(limit)),
    "token-bucket": lambda limit, shape: TokenBucket(limit, shape.bucket or window_most(limit)),
    "two-tier": lambda limit, shape: TwoTiers(SlidingLog(limit, window_most(limit)), shape.tier or _tier(limit)),
    "concurrency": lambda limit, _: ConcurrencyCap(limit.requests),
}
"""What a name makes of a declared limit. A burst adds its surplus to what a window, or the bucket, holds."""


def limiter(limit: Limit, shape: Shape) -> Limiter:
    """The limiter of that kind that keeps a declared limit."""
    return KINDS[shape.kind](limit, shape)
