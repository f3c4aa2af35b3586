"""How long a generation takes: a lognormal service time that knows its own quantiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

from testcard.mock_server.chance import unit

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_NORMAL = NormalDist()
_Z99 = _NORMAL.inv_cdf(0.99)


@dataclass(frozen=True, slots=True)
class Latency:
    """Service times. A median of 0 adds none.

    ln(time) is normal: its mean is ln(median), its deviation follows from p99 = median * exp(z99 * sigma).
    """

    median_s: float = 0.0
    p99_s: float = 0.0
    factors: Mapping[str, float] = field(default_factory=dict)
    """By size: how many times as long it takes; a size that is not named: once."""

    @property
    def sigma(self) -> float:
        return math.log(self.p99_s / self.median_s) / _Z99 if self.median_s > 0 else 0.0

    def at(self, share: float, size: str | None = None) -> float:
        """The true quantile, in seconds."""
        if self.median_s <= 0:
            return 0.0
        factor = self.factors.get(size, 1.0) if size else 1.0
        return factor * self.median_s * math.exp(self.sigma * _NORMAL.inv_cdf(share))

    def draw(self, seed: int, number: int, size: str) -> float:
        """The service time of the generation of that number, in seconds."""
        return self.at(unit(seed, "latency", number), size)
