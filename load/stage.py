"""Stages of a load: a rate as a function of time, piecewise constant or linear, and when its arrivals are due.

The cumulative rate of a stage is how many arrivals are expected in it up to a moment. Arrivals are due where it, read
backwards, reaches given numbers (the time scale transformation of a homogeneous Poisson process, as Lewis and Shedler
call it: Simulation of Nonhomogeneous Poisson Processes with Log Linear Rate Function, Biometrika 63(3), 1976):

- `constant`: k + 1/2, for k = 0, 1, 2, … over all stages: evenly spaced where the rate is constant, and across stages;
- `poisson`: a Poisson process of rate 1, given its number of arrivals in the stage: so many independent uniform
  numbers (Ross, Stochastic Processes, 2nd edition, theorem 2.3.1).

Either way a stage holds a number of arrivals that is known beforehand, and so is its cost.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from testcard.core.record import Jsonable

WARMUP = "warmup"
MEASURED = "measured"
PHASES = (WARMUP, MEASURED)
_NEARLY = 1e-9  # 20 * 0.05 is 1.0000000000000002; an arrival more or less must not hang on that


@dataclass(frozen=True, slots=True)
class Stage(Jsonable):
    """A stretch of the load: one rate, or a linear ramp from one rate to another."""

    name: str
    phase: str
    """`warmup` or `measured`."""
    duration_s: float
    rate_per_s: float
    """At its begin."""
    to_rate_per_s: float | None = None
    """At its end; None: the same."""
    judged_as: str = ""
    """The name under which SLOs and claims are judged on its arrivals, together with those of other stages of that
    name; empty: not judged."""

    @property
    def end_rate_per_s(self) -> float:
        """The rate at its end."""
        return self.rate_per_s if self.to_rate_per_s is None else self.to_rate_per_s

    @property
    def expected(self) -> float:
        """The integral of its rate: arrivals, not rounded."""
        return (self.rate_per_s + self.end_rate_per_s) / 2 * self.duration_s

    def when(self, arrivals: float) -> float:
        """Seconds from its begin at which so many arrivals are expected: the cumulative rate, inverted."""
        if arrivals <= 0:
            return 0.0
        growth = (self.end_rate_per_s - self.rate_per_s) / self.duration_s
        # The root of growth/2 t² + rate t = arrivals in the form that loses no digits, whatever the growth's sign.
        root = math.sqrt(max(0.0, self.rate_per_s**2 + 2 * growth * arrivals))
        return min(2 * arrivals / (self.rate_per_s + root), self.duration_s)


def counts(stages: Sequence[Stage]) -> list[int]:
    """How many arrivals each stage holds. Rounding is carried on: together they are the rounded integral."""
    found, total = [], 0.0
    for stage in stages:
        before, total = total, total + stage.expected
        found.append(_rounded(total) - _rounded(before))
    return found


def offsets(stages: Sequence[Stage], arrivals: str, seed: str) -> Iterator[list[float]]:
    """When the arrivals of each stage are due, ascending, seconds from the start of the load.

    Args:
        arrivals: `constant` or `poisson`.
        seed: of the Poisson process.
    """
    begin = total = 0.0
    for number, (stage, count) in enumerate(zip(stages, counts(stages), strict=True)):
        if arrivals == "constant":
            first = _rounded(total) + 0.5 - total
            levels = [first + index for index in range(count)]
        else:
            # Seeded with the stage's number too: two stages alike must not repeat each other's gaps.
            dice = random.Random(f"{seed} {number}")
            levels = sorted(dice.random() * stage.expected for _ in range(count))
        yield [begin + stage.when(level) for level in levels]
        begin += stage.duration_s
        total += stage.expected


def stage_at(stages: Sequence[Stage], offset_s: float) -> Stage:
    """The stage of a moment; the last one for any moment after it."""
    end = 0.0
    for stage in stages:
        end += stage.duration_s
        if offset_s < end:
            return stage
    return stages[-1]


def _rounded(arrivals: float) -> int:
    return math.floor(arrivals + 0.5 + _NEARLY)
