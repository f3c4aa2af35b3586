"""A calibration certificate: what a load measured, beside what the bundled mock knows that it did."""

from __future__ import annotations

from dataclasses import dataclass, field

from testcard.core.record import Jsonable


@dataclass(frozen=True, slots=True)
class Certificate(Jsonable):
    """The same arrivals, told from outside and from inside. Seconds throughout."""

    machine: str
    """The name of the machine that both ran on."""
    cores: int
    arrivals: int
    """Measured ones with a good answer that the mock remembers, by their request ids."""
    of: int
    """Measured ones with a good answer."""
    told_s: dict[str, float] = field(default_factory=dict)
    """From sending to the last byte, as we measured it: p50, p90, p95, p99, p99.9, max."""
    true_s: dict[str, float] = field(default_factory=dict)
    """From the head of the request to the answer handed to the system, as the mock measured it."""
    off_s: dict[str, float] = field(default_factory=dict)
    """Told minus true, by quantile."""
    dispatch_lag_p99_s: float | None = None
    agrees: bool = False
    """Whether p50 to p99 are told within 1 % + 1 ms."""
