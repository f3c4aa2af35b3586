"""The kinds of limiters that we can tell apart, and what is plausible of each before anything was seen."""

from __future__ import annotations

from testcard.core.target import Limit
from testcard.load.ratelimit.bucket import bucket, concurrency, interval_bucket, unlimited
from testcard.load.ratelimit.kind import Flags, Kind, Parameter
from testcard.load.ratelimit.lockout import idle_window, lockout
from testcard.load.ratelimit.observation import Floats
from testcard.load.ratelimit.window import (
    burst_window,
    clock_window,
    first_window,
    sliding_counter,
    sliding_log,
    stepped_window,
    two_tiers,
)

UNLIMITED = "no-limit-seen"
UNEXPLAINED = "unexplained"
CONCURRENCY = "concurrency"
BUCKET = "bucket"
INTERVAL = "interval-refill"
LOCKOUT = "lockout"
_FASTEST = 10.0
"""Times the declared rate: what is faster is not the limit that was declared."""
_MOST_STEPS = 12
_LEAST_STEPS = 2


def kinds(declared: Limit) -> tuple[Kind, ...]:
    """Every kind, with parameters around a declared limit: it tells where to look, and proves nothing."""
    most = 4.0 * declared.requests
    shortest, longest = declared.window_s / 15, declared.window_s * 3
    limit = Parameter("limit", "integer", 1, most, declared.requests)
    window = Parameter("window", "log", shortest, longest, declared.window_s)
    even = declared.requests / declared.window_s

    def plausible(sets: Floats) -> Flags:
        return sets[:, 0] / sets[:, 1] < _FASTEST * even

    phase = Parameter("phase", "phase")
    flag = Parameter("reading", "choice", 0, 2)
    refused = Parameter("refused", "choice", 0, 2)
    span = Parameter("span", "log", shortest / 4, longest / 2)
    return (
        Kind(UNLIMITED, "no limit seen", (), unlimited),
        Kind("fixed-clock", "fixed window, aligned to a clock", (limit, window, phase), clock_window, sound=plausible),
        Kind(
            "fixed-first", "fixed window, opened by the first request", (limit, window), first_window, sound=plausible
        ),
        Kind(
            "sliding-log",
            "sliding log",
            (limit, window, refused),
            sliding_log,
            sound=plausible,
        ),
        Kind(
            "sliding-counter",
            "sliding counter",
            (limit, window, phase, flag, refused),
            sliding_counter,
            sound=plausible,
        ),
        Kind(
            BUCKET,
            "bucket (token bucket, GCRA)",
            (limit, Parameter("gap", "log", 1 / (4 * even), 4 / even, 1 / even), Parameter("refused", "choice", 0, 3)),
            bucket,
        ),
        Kind(
            "rolling",
            "rolling window with a burst allowance",
            (
                limit,
                window,
                span,
                Parameter("burst", "integer", 1, most),
                Parameter("surplus", "integer", 1, most),
                flag,
            ),
            burst_window,
            handicap=2.5,
            sound=lambda sets: (
                plausible(sets)
                & (sets[:, 2] < sets[:, 1] / 2)
                # An allowance of at least the limit is no more than a second tier.
                & ((sets[:, 3] < sets[:, 0]) | (sets[:, 5] > 0))
                & (sets[:, 4] <= 1.5 * sets[:, 0])
            ),
        ),
        Kind(
            "two-tier",
            "two tiers",
            (
                limit,
                window,
                Parameter("short-limit", "integer", 1, most),
                span,
                flag,
                phase,
                Parameter("short-phase", "phase"),
            ),
            two_tiers,
            handicap=2.0,
            sound=lambda sets: (
                plausible(sets)
                & (sets[:, 2] < sets[:, 0])
                & (sets[:, 3] < sets[:, 1] / 2)
                & (sets[:, 2] / sets[:, 3] > 1.2 * sets[:, 0] / sets[:, 1])
            ),
        ),
        Kind(CONCURRENCY, "cap of requests under way at once", (limit,), concurrency),
        Kind(
            INTERVAL,
            "bucket refilled at intervals",
            (limit, Parameter("period", "log", shortest / 8, longest), phase, Parameter("refill", "integer", 1, most)),
            interval_bucket,
            handicap=2.0,
            # Refilled to the brim at every tick it is a fixed window.
            sound=lambda sets: (sets[:, 3] < sets[:, 0]) & (sets[:, 3] / sets[:, 1] < 4 * even),
        ),
        Kind(
            "stepped-window",
            "sliding window that moves in steps",
            (limit, window, phase, Parameter("steps", "integer", _LEAST_STEPS, _MOST_STEPS)),
            stepped_window,
            handicap=2.0,
            sound=plausible,
        ),
        Kind(
            LOCKOUT,
            "sliding log with lockouts",
            (
                limit,
                window,
                Parameter("ban", "log", shortest, 2 * longest, declared.window_s),
                Parameter("forgets", "choice", 0, 2),
                refused,
            ),
            lockout,
            handicap=2.0,
            sound=plausible,
        ),
        Kind(
            "idle-window",
            "window that every request renews",
            (limit, window, refused),
            idle_window,
            handicap=2.0,
            sound=plausible,
        ),
    )
