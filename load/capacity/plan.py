"""What a search for the capacity may send, before it is known what it will."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from testcard.core.limit import constraints
from testcard.core.record import Jsonable
from testcard.core.target import Limit, Slo
from testcard.load.stage import MEASURED, WARMUP, Stage
from testcard.load.verdict import certifies

DEFAULT_SLO = Slo(0.95, 1.0)
"""Where neither --slo nor the target names any: p95 <= 1 s, our reading of "interactive"."""
MOST_STEPS = 12
LOOKS = (1, 3)
"""Runs at one rate: one, and another three times as long where it is not decided."""
EDGE_STEPS = 2
"""Of the steps that are left when the verdicts have narrowed the edge down: so many more at it, for the estimate."""
SETTLED = 10.0
"""Times its bound that the warm-up of a step lasts at least, unless there is none: a queue takes a while to be as long
as it will be, and the longer the more requests it serves within the bound."""
PRECISION = 1.1
"""The search is over when the first rate that failed is at most so many times the last one that passed."""
_MOST_DOUBLINGS = 6
_MOST_PER_S = 2_000.0
_OVERLOADED = 20.0
"""Times its bound that a step lasts at least: of 10 % overload after t seconds the queue is 0.1 t seconds long, so
half of the arrivals of such a step are over the bound by then."""
_SPARE = 0.2
"""Share of the late arrivals that an SLO allows with which the shortest step still certifies."""
_DEVIATIONS = 4.0


@dataclass(frozen=True, slots=True)
class SearchPlan(Jsonable):
    """The bounds of a search. What it does within them depends on the verdicts alone (search.py)."""

    start_per_s: float
    ceiling_per_s: float
    """The highest rate that is tried."""
    ceiling: str
    """Why not higher."""
    look_s: float
    """Of the measured phase of one run, at least."""
    arrivals: int
    """In it, at least."""
    confidence: float
    """Of each single verdict on an SLO, so that all of them together have the confidence asked for."""
    paced: bool = False
    """Whether steps keep the key's declared limit together."""

    @classmethod
    def of(
        cls, rate_per_s: float, duration_s: float, slos: Sequence[Slo], *, limit: Limit | None, most_arrivals: float
    ) -> SearchPlan:
        """The bounds that options make.

        Args:
            duration_s: of a step, at least.
            slos: which all have to hold.
            limit: of the key, where the search has to stay below it.
            most_arrivals: at one rate, over all looks.
        """
        confidence = shared_confidence(slos)
        fewest = max(_fewest(slo.quantile, confidence) for slo in slos)
        look_s = max(duration_s, *(_OVERLOADED * slo.bound_s for slo in slos))
        ceilings = [
            (rate_per_s * 2**_MOST_DOUBLINGS, f"it is {2**_MOST_DOUBLINGS} times --rate: begin with a higher one"),
            (min(_MOST_PER_S, most_arrivals / (sum(LOOKS) * look_s)), "more than that is too much for one search"),
        ]
        if limit is not None:
            ceilings.append((cls.evenly(limit), "the key's declared limit allows no more: --above-limit"))
        ceiling, why = min(ceilings)
        return cls(
            start_per_s=rate_per_s,
            ceiling_per_s=rounded(max(ceiling, rate_per_s)),
            ceiling=why,
            look_s=look_s,
            arrivals=fewest,
            confidence=confidence,
            paced=limit is not None,
        )

    def seconds(self, rate_per_s: float, look: int = 1) -> float:
        """How long the measured phase of a run at a rate is."""
        return LOOKS[look - 1] * max(self.look_s, self.arrivals / rate_per_s)

    def stages(self, warmup_s: float) -> tuple[Stage, ...]:
        """The dearest way that a search can go, warm-up and measured phase of each rate."""
        found: list[Stage] = []
        rate = self.start_per_s
        for number in range(1, MOST_STEPS + 1):
            if warmup_s > 0:
                found.append(Stage(f"warmup-{number}", WARMUP, len(LOOKS) * warmup_s, rate))
            found.append(Stage(step_name(number), MEASURED, sum(LOOKS) * self.seconds(rate), rate))
            rate = min(2 * rate, self.ceiling_per_s)
        return tuple(found)

    def keeps(self, limit: Limit) -> bool:
        """Whether every step surely stays within a limit."""
        return self.ceiling_per_s <= self.evenly(limit)

    @staticmethod
    def evenly(limit: Limit) -> float:
        """The rate at which Poisson arrivals stay within a limit by four standard deviations, in every window."""
        # mean + 4 sqrt(mean) = requests, solved for the mean; rounded down to three digits
        rate = min(
            max(0.0, math.sqrt(requests + _DEVIATIONS**2 / 4) - _DEVIATIONS / 2) ** 2 / window
            for requests, window in constraints(limit)
        )
        return rounded(0.995 * rate)


def step_name(number: int, look: int = 1) -> str:
    """How records and reports call a run of a step."""
    return f"step-{number}" if look == 1 else f"step-{number}-again"


def shared_confidence(slos: Sequence[Slo]) -> float:
    """The confidence of each verdict, so that with the one asked for none of all is wrong.

    However the search goes, it draws at most so many verdicts; each is wrong with at most an equal part of the error
    allowed (Bonferroni). At one rate only one of `kept` and `refuted` can be wrong, so a verdict counts once.
    """
    error = 1 - max(slo.confidence for slo in slos)
    return round(1 - error / (MOST_STEPS * len(LOOKS) * len(slos)), 9)


def rounded(rate_per_s: float) -> float:
    """Three digits, as people write it."""
    return float(f"{rate_per_s:.3g}")


def _fewest(q: float, confidence: float) -> int:
    n = 1
    while not certifies(n, math.ceil(_SPARE * (1 - q) * n - 1e-9), q, confidence):
        n += max(1, n // 50)
    return n
