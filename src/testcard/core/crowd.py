"""What became of a crowd of clients that hit a limit together and asked again, each by its retry policy."""

from __future__ import annotations

from dataclasses import dataclass

from testcard.core.record import Jsonable


@dataclass(frozen=True, slots=True)
class CrowdFigures(Jsonable):
    """One crowd, whose clients want one picture each. Seconds throughout."""

    policy: str
    clients: int
    span_s: float
    """Within which they first asked."""
    succeeded: int
    """Clients that got a 2xx in the end."""
    failed: int
    success_share: float
    attempts: int
    """Requests of all clients."""
    admitted: int
    """Attempts that a 2xx answered."""
    limited: int
    """Attempts that a 429 answered."""
    peak_retries_per_s: int
    """The most repetitions that fell due within one second: the herd."""
    longest_attempts: int
    """The most attempts of one client."""
    attempts_per_success: float | None = None
    last_served_s: float | None = None
    """From the first request of all to the last picture."""
    all_served_s: float | None = None
    """The same, where every client was served; absent where not."""
    latency_mean_s: float | None = None
    """Of the clients that succeeded, from when each first asked to its picture."""
    latency_p50_s: float | None = None
    latency_max_s: float | None = None
    against: str | None = None
    """The kind of limiter that it was simulated against; None: a real server's."""
    cut_off: bool = False
    """The run ended before its clients did: some of the failed may have been waiting."""
    sentence: str = ""
    """What these users lived through."""


@dataclass(frozen=True, slots=True)
class CrowdSummary(Jsonable):
    """The crowds of a load, one after the other."""

    key: str
    """Role of the key whose limit they hit."""
    crowds: tuple[CrowdFigures, ...]
    limit: str = ""
    """The declared limit of that key, in words."""
    forecast: tuple[CrowdFigures, ...] = ()
    """Such crowds, and others, simulated against limiters that keep the declared limit."""
