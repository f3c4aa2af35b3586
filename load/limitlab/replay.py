"""Records of an investigation and the limiter that fits them: the same for findings and summary, now and later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from testcard.core.record import Record
from testcard.load.limitlab.plan import LimitPlan
from testcard.load.limitlab.reading import observed
from testcard.load.limitlab.standin import as_refusals, explains, stand_in
from testcard.load.ratelimit import Bounds, Fitted, Honesty, Identification, Promise, kinds


@dataclass(frozen=True, slots=True)
class Read:
    """What was seen, and what fits it."""

    records: tuple[Record, ...]
    """In the order of sending; what stands in for a 429 counts as limited."""
    instead: str | None
    """The answer that stands in for the 429: a limiter explains when it came."""
    fitted: Fitted
    honesty: Honesty
    promises: tuple[Promise, ...]
    shares: Mapping[str, float]
    """How probable each kind is."""


def read(records: Sequence[Record], plan: LimitPlan, seed: int) -> Read:
    """The limiter that fits, replayed from the records alone."""
    ordered = sorted(records, key=lambda record: record.number)
    instead = stand_in(ordered, plan.requests)
    if instead is not None:
        found = _fit(as_refusals(ordered, instead), instead, plan, seed)
        if explains(found.fitted, found.records):
            return found
    return _fit(ordered, None, plan, seed)


def _fit(records: Sequence[Record], instead: str | None, plan: LimitPlan, seed: int) -> Read:
    identification = Identification(plan.limit, Bounds(plan.most_requests, plan.most_s), seed=seed)
    for wave in observed(records):
        identification.add(wave)
    honesty, promises = identification.honesty()
    names = [kind.name for kind in kinds(plan.limit)]
    shares = dict(zip(names, map(float, identification.shares()), strict=True))
    return Read(tuple(records), instead, identification.verdict(), honesty, promises, shares)
