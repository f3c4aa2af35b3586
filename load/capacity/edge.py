"""The edge: the rate at which exactly as many arrivals are late as an SLO allows, fitted to all steps of a search.

The capacity of a server for an SLO "a share q within T seconds" is the highest rate of Poisson arrivals at which, in
the long run, no more than 1 - q are late or get no good answer. Of one server with exponential service times of rate mu
it is mu + ln(1 - q)/T (M/M/1: the time in the system is exponential with rate mu - lambda).

A verdict needs more arrivals the nearer a rate is to the edge, and at the edge never comes. An estimate does not: here
the log-odds of being late are a line in the logarithm of the rate, near the edge only (local likelihood: Loader, Local
Regression and Likelihood, 1999, chapter 4), each step with as many arrivals as it is worth (independence.py). No
confidence goes with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH = 0.35
"""How far from the edge steps count, as a standard deviation of the logarithm of the rate."""
_STEEPNESS, _STEEPNESS_SPREAD = math.log(8.0), 1.0
"""The logarithm of the line's slope is taken to be about so, unless steps say otherwise: 3 for a server on which most
wait hardly at all, 20 for one close to saturation, or a limit."""
_PLACE_SPREAD = 0.5
_OVERLOAD = 0.9
"""A larger share late says only that the rate is too high: how many depends on how long it lasted."""
_ROUNDS, _MOST_STEP = 25, 0.5


@dataclass(frozen=True, slots=True)
class Point:
    """What one step saw."""

    rate_per_s: float
    late: float
    arrivals: float
    worth: float
    """Independent arrivals that one of these is worth."""


def edge(points: Sequence[Point], allowed: float) -> float | None:
    """The rate at which the share that is allowed is late; None where no step lies below it, or none above.

    Args:
        allowed: the share that may be late.
    """
    below = [point.rate_per_s for point in points if point.late <= allowed * point.arrivals]
    above = [point.rate_per_s for point in points if point.late > allowed * point.arrivals]
    if not below or not above:
        return None
    place = (math.log(max(below)) + math.log(min(above))) / 2
    for _ in range(_ROUNDS):
        fitted = _fit(points, place, math.log(allowed / (1 - allowed)))
        if abs(fitted - place) < 1e-4:
            break
        place = (place + fitted) / 2
    rate = math.exp(place)
    return rate if min(below) <= rate <= max(above) else None


def _fit(points: Sequence[Point], place: float, level: float) -> float:
    """Where the line is at a level of the log-odds, fitted to the points around a place, by Fisher's scoring."""
    near = [(math.log(point.rate_per_s), *_counted(point, place)) for point in points]
    centre, steepness = place, _STEEPNESS
    for _ in range(_ROUNDS):
        # Of the negative logarithm of likelihood and priors: the gradient, and its expected derivative.
        by_centre = (centre - place) / _PLACE_SPREAD**2
        by_steepness = (steepness - _STEEPNESS) / _STEEPNESS_SPREAD**2
        twice_centre, mixed, twice_steepness = 1 / _PLACE_SPREAD**2, 0.0, 1 / _STEEPNESS_SPREAD**2
        slope = math.exp(steepness)
        for x, late, arrivals in near:
            share = 1 / (1 + math.exp(-max(-40.0, min(40.0, level + slope * (x - centre)))))
            moved, turned = -slope, slope * (x - centre)
            excess, spread = arrivals * share - late, arrivals * share * (1 - share)
            by_centre, by_steepness = by_centre + excess * moved, by_steepness + excess * turned
            twice_centre += spread * moved**2
            mixed += spread * moved * turned
            twice_steepness += spread * turned**2
        known = twice_centre * twice_steepness - mixed**2
        step = (twice_steepness * by_centre - mixed * by_steepness) / known
        turn = (twice_centre * by_steepness - mixed * by_centre) / known
        centre -= max(-_WIDTH, min(_WIDTH, step))
        steepness -= max(-_MOST_STEP, min(_MOST_STEP, turn))
        if abs(step) + abs(turn) < 1e-6:
            break
    return centre


def _counted(point: Point, place: float) -> tuple[float, float]:
    """The late arrivals and all, by how near the step is and what its arrivals are worth."""
    weight = point.worth * math.exp(-0.5 * ((math.log(point.rate_per_s) - place) / _WIDTH) ** 2)
    share = point.late / max(1.0, point.arrivals)
    weight *= 0.0 if share > _OVERLOAD else 1.0
    return point.late * weight, point.arrivals * weight
