"""Where a server stops keeping up: more comes in than goes out, for as long as it comes.

A stage at one rate is one slice, a ramp ten. In a slice that saturates, the number in flight grows all the way: over
its first half and over its second, each time by a tenth of what came, and by more than chance. A stall grows it once,
and it falls again.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from testcard.core.behaviour import Saturation
from testcard.load.plan import MEASURED, LoadPlan

_SLICES = 10
_SHARE = 0.1
_DEVIATIONS = 2.0
_FEWEST = 40


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of the load."""

    where: str
    begin_s: float
    """From the begin of the load."""
    end_s: float


def saturation(plan: LoadPlan, came: Sequence[float], ended: Sequence[float]) -> Saturation | None:
    """The slice of the lowest rate that saturates, or None.

    Args:
        came: when arrivals were due, from the begin of the load, seconds; dropped ones too.
        ended: when answers, of whatever kind, were complete.
    """
    came, ended = sorted(came), sorted(ended)
    found = [told for one in _slices(plan) if (told := _saturated(one, came, ended)) is not None]
    return min(found, key=lambda told: told.offered_per_s, default=None)


def _slices(plan: LoadPlan) -> Iterator[Slice]:
    begin = 0.0
    for stage in plan.stages:
        parts = 1 if stage.end_rate_per_s == stage.rate_per_s else _SLICES
        for part in range(parts if stage.phase == MEASURED else 0):
            name = stage.name if parts == 1 else f"{stage.name}, part {part + 1} of {parts}"
            each = stage.duration_s / parts
            yield Slice(name, begin + part * each, begin + (part + 1) * each)
        begin += stage.duration_s


def _saturated(one: Slice, came: Sequence[float], ended: Sequence[float]) -> Saturation | None:
    moments = (one.begin_s, (one.begin_s + one.end_s) / 2, one.end_s)
    in_by, out_by = ([bisect_right(times, moment) for moment in moments] for times in (came, ended))
    flight = [into - out for into, out in zip(in_by, out_by, strict=True)]
    arrivals, lasts = in_by[2] - in_by[0], one.end_s - one.begin_s
    if arrivals < _FEWEST:
        return None
    for half in (0, 1):
        came_in = in_by[half + 1] - in_by[half]
        if flight[half + 1] - flight[half] <= max(_SHARE * came_in, _DEVIATIONS * math.sqrt(came_in)):
            return None
    offered, completed = arrivals / lasts, (out_by[2] - out_by[0]) / lasts
    sentence = (
        f"Saturated in {one.where}: {offered:.3g} a second came, {completed:.3g} were answered, in flight grew from "
        f"{flight[0]} to {flight[2]}."
    )
    return Saturation(round(offered, 4), round(completed, 4), flight[0], flight[2], one.where, sentence)
