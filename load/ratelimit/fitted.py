"""The limiter that fits: its kind, limit, window and burst, each with a confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testcard.core.target import Limit
from testcard.load.ratelimit.catalogue import BUCKET, INTERVAL, UNEXPLAINED, UNLIMITED
from testcard.load.ratelimit.observation import Floats, Past
from testcard.load.ratelimit.population import Population

_WITHIN = 0.05
_UNTOLD = 0.05
_OR = 0.1
"""A kind this probable is named beside the first."""


@dataclass(frozen=True, slots=True)
class Part:
    """One figure of a limiter."""

    value: float
    confidence: float
    """That the truth lies within 5 % of the value, if the kind is right."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What an identification found."""

    kind: str
    confidence: float
    alternatives: tuple[str, ...]
    """Other kinds that the answers do not rule out."""
    limit: Part | None
    """Requests per window; a bucket's and an interval's rate per declared window."""
    window_s: Part | None
    burst: Part | None
    """Requests that pass at once after a pause."""
    at_least: int
    """Requests that passed in all."""
    refusals_count: bool | None = None
    """Whether refused requests use up the limit; None where the answers do not tell."""

    def parts(self) -> tuple[Part | None, ...]:
        """The figures."""
        return self.limit, self.window_s, self.burst


def estimate(populations: Sequence[Population], shares: Floats, past: Past, declared: Limit, *, stated: bool) -> Fitted:
    """What the parameter sets that are left say."""
    leader = int(np.argmax(shares))
    population = populations[leader]
    kind = population.kind.name
    others = [
        populations[number].kind.name
        for number in np.argsort(-shares)
        if number != leader and shares[number] > _OR * shares[leader]
    ]
    passed = int(past.admitted.sum())
    if not stated:
        return Fitted(UNEXPLAINED, 0.0, (kind, *others), None, None, None, passed)
    if kind == UNLIMITED:
        return Fitted(kind, float(shares[leader]), tuple(others), None, None, None, passed)
    column = {parameter.name: population.sets[:, number] for number, parameter in enumerate(population.kind.parameters)}
    window = burst = None
    if kind == BUCKET:
        limit = _part(declared.window_s / column["gap"])
        burst = _part(column["limit"])
    elif kind == INTERVAL:
        limit = _part(column["refill"] * declared.window_s / column["period"])
        window, burst = _part(column["period"]), _part(column["limit"])
    else:
        limit = _part(column["limit"])
        if "window" in column:
            window = _part(column["window"])
        if "surplus" in column:
            burst = _part(column["limit"] + column["surplus"])
    counts = float(np.mean(column["refused"] > 0)) if "refused" in column else 0.5
    told = None if _UNTOLD < counts < 1 - _UNTOLD else counts > _UNTOLD
    return Fitted(kind, float(shares[leader]), tuple(others), limit, window, burst, passed, told)


def _part(values: Floats) -> Part:
    middle = float(np.median(values))
    return Part(middle, float((np.abs(values - middle) <= _WITHIN * middle).mean()))
