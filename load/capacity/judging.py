"""The steps of a search as their records tell them: followed from the first on, by the rules that led it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from testcard.core.capacity import CapacityStep
from testcard.core.summary import Bound
from testcard.core.target import Slo
from testcard.load.bound import Case, Sample, verdict_on
from testcard.load.capacity.edge import Point, edge
from testcard.load.capacity.plan import EDGE_STEPS, LOOKS, MOST_STEPS, SearchPlan, rounded, step_name
from testcard.load.capacity.search import LATE, Look, Step, following, look_plan
from testcard.load.plan import LoadPlan
from testcard.load.slo import bound_of
from testcard.load.tally import Tally
from testcard.load.verdict import INCONCLUSIVE, KEPT, REFUTED

_NARROWED = ("found", "undecided")
_SEVERITY = (KEPT, INCONCLUSIVE, REFUTED)


@dataclass(frozen=True, slots=True)
class ByStage:
    """What records say of each run, by its stage."""

    samples: Mapping[str, Sequence[Sample]]
    tallies: Mapping[str, Tally]
    generator: Callable[[str], str | None]
    """Why the generator was the limit in that run; None: it was not."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A rate with what is known of it."""

    step: CapacityStep
    bounds: tuple[Bound, ...]
    """The SLOs, as they stand at this rate."""
    looks: tuple[Look, ...]
    again: bool
    """Whether another run may decide."""
    at_edge: bool = False
    """Where the steps before it had the edge, once the verdicts had narrowed it down."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A search as far as it has come."""

    tried: tuple[Tried, ...]
    ended: str | None
    """One of ENDS in search.py; None: it goes on."""
    ahead: Look | None = None
    """The next run."""


def follow(
    plan: LoadPlan,
    search: SearchPlan,
    slos: Sequence[Slo],
    seen: ByStage,
    price_usd: float | None,
    before: Followed | None = None,
) -> Followed:
    """Follow the search through what has been seen.

    Args:
        before: how far it had come when less had been seen.
    """
    done = before.ahead.step if before is not None and before.ahead is not None else 1
    tried = [one for one in before.tried if one.looks[0].step < done] if before is not None else []
    while True:
        rate = following(search, [Step(one.step.rate_per_s, one.step.verdict) for one in tried])
        at_edge = isinstance(rate, str)
        if isinstance(rate, str):
            told = estimate(tried, slos) if rate in _NARROWED and len(tried) < MOST_STEPS else None
            if told is None or sum(one.at_edge for one in tried) >= EDGE_STEPS:
                return Followed(tuple(tried), rate)
            rate = min(told, search.ceiling_per_s)
        number = len(tried) + 1
        looks: list[Look] = []
        found: Tried | None = None
        while len(looks) < len(LOOKS) and (found is None or found.again):
            look = Look(number, len(looks) + 1, rate)
            if look.stage not in seen.tallies:
                return Followed((*tried, found) if found else tuple(tried), None, look)
            looks.append(look)
            found = replace(_tried(plan, search, looks, slos, seen, price_usd), at_edge=at_edge)
        if found is not None:
            tried.append(found)


def estimate(tried: Sequence[Tried], slos: Sequence[Slo]) -> float | None:
    """The edge of the SLO whose edge is lowest, as far as all steps tell."""
    found = []
    for index, slo in enumerate(slos):
        bounds = [(one.step.rate_per_s, one.bounds[index]) for one in tried if one.step.verdict != LATE]
        points = [
            Point(rate, bound.misses, bound.samples, (bound.effective_samples or bound.samples) / bound.samples)
            for rate, bound in bounds
            if bound.samples
        ]
        if (rate := edge(points, 1 - slo.quantile)) is not None:
            found.append(rounded(rate))
    return min(found, default=None)


def _tried(
    plan: LoadPlan,
    search: SearchPlan,
    looks: Sequence[Look],
    slos: Sequence[Slo],
    seen: ByStage,
    price_usd: float | None,
) -> Tried:
    """The verdict on a rate, over all runs at it."""
    number, rate = looks[0].step, looks[0].rate_per_s
    samples = [sample for look in looks for sample in seen.samples.get(look.stage, ())]
    case = Case(look_plan(plan, search, looks[0]), price_usd)
    judged = [verdict_on(samples, bound_of(slo, search.confidence, stage=step_name(number)), case) for slo in slos]
    bounds = tuple(bound for bound, _ in judged)
    worst = max(bounds, key=lambda bound: (_SEVERITY.index(bound.verdict), bound.misses / max(1, bound.samples)))
    late_generator = next((why for look in looks if (why := seen.generator(look.stage))), None)
    unknown = sum(sample.outcome in ("dropped", "lost") for sample in samples)
    verdict, note = worst.verdict, worst.advice
    if late_generator is not None:
        verdict, note = LATE, late_generator
    elif verdict == INCONCLUSIVE and unknown:
        verdict, note = LATE, f"{unknown} arrivals were dropped at the in-flight cap of {plan.in_flight_cap}, or lost"
    limited = sum(sample.outcome == "limited" for sample in samples)
    late = sum(
        sample.outcome == "valid" and sample.latency_s is not None and sample.latency_s > worst.bound_s
        for sample in samples
        if worst.size in (None, sample.size)
    )
    achieved = [seen.tallies[look.stage].achieved_per_s(search.seconds(rate, look.number)) for look in looks]
    step = CapacityStep(
        name=step_name(number),
        rate_per_s=rate,
        verdict=verdict,
        looks=len(looks),
        samples=worst.samples,
        misses=worst.misses,
        late=late,
        limited=limited,
        failed=sum(sample.outcome not in ("valid", "limited") for sample in samples),
        achieved_rate_per_s=round(sum(achieved) / len(achieved), 4),
        slo=worst.id,
        estimate_s=worst.estimate_s,
        note=note if verdict in (INCONCLUSIVE, LATE) else "",
    )
    return Tried(step, bounds, tuple(looks), again=verdict == INCONCLUSIVE)
