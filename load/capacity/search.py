"""Which rate comes next: doubling until a rate fails, then the middle of what is left. A pure function of verdicts.

So the search can be followed again from the records alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from testcard.core.errors import UsageError
from testcard.core.target import Limit, Slo
from testcard.load.capacity.plan import MOST_STEPS, PRECISION, SETTLED, SearchPlan, rounded, step_name
from testcard.load.plan import LoadPlan
from testcard.load.stage import MEASURED, WARMUP, Stage
from testcard.load.verdict import INCONCLUSIVE, KEPT, REFUTED

LATE = "generator"
"""In place of a verdict: the generator, not the server, was the limit."""
ENDS = {
    "found": "the last rate that passed and the first that failed are at most 10 % apart",
    "undecided": "the rates between them could not be decided by as many arrivals",
    "ceiling": "every rate passed",
    "never": "no rate passed",
    "steps": "as many rates were tried as a search may take",
    "generator": "the generator could not keep its plan",
    "stopped": "the run ended before the search did",
}
"""How a search ends."""
_LOWEST = 1 / 16
_NARROW = 1.06


@dataclass(frozen=True, slots=True)
class Look:
    """One run at one rate."""

    step: int
    """From 1."""
    number: int
    """1, or 2 for another at the same rate."""
    rate_per_s: float

    @property
    def stage(self) -> str:
        return step_name(self.step, self.number)


@dataclass(frozen=True, slots=True)
class Step:
    """A rate with its verdict."""

    rate_per_s: float
    verdict: str
    """`kept`, `refuted`, `inconclusive`, or `generator`."""


def following(plan: SearchPlan, steps: Sequence[Step]) -> float | str:
    """The rate to try after these, or one of ENDS."""
    if not steps:
        return plan.start_per_s
    if steps[-1].verdict == LATE:
        return "generator"
    kept, failed, between = bracket(steps)
    rate = _between(plan, kept, failed, between, min(step.rate_per_s for step in steps))
    if isinstance(rate, float) and len(steps) >= MOST_STEPS:
        return "steps"
    return rate


def bracket(steps: Sequence[Step]) -> tuple[float, float, list[float]]:
    """The highest rate that passed (or 0), the lowest that failed (or infinity), what is undecided in between."""
    kept = max((step.rate_per_s for step in steps if step.verdict == KEPT), default=0.0)
    failed = min((step.rate_per_s for step in steps if step.verdict == REFUTED), default=math.inf)
    undecided = sorted(step.rate_per_s for step in steps if step.verdict == INCONCLUSIVE)
    return kept, failed, [rate for rate in undecided if kept < rate < failed]


def _between(plan: SearchPlan, kept: float, failed: float, between: list[float], lowest: float) -> float | str:
    if not kept:
        return "never" if lowest <= plan.start_per_s * _LOWEST else rounded(lowest / 2)
    if math.isinf(failed):
        highest = between[-1] if between else kept
        if highest >= plan.ceiling_per_s:
            return "undecided" if between else "ceiling"
        return min(rounded(highest * (math.sqrt(2) if between else 2)), plan.ceiling_per_s)
    if failed <= kept * PRECISION:
        return "found"
    if not between:
        return rounded(math.sqrt(kept * failed))
    below, above = between[0] / kept, failed / between[-1]
    if max(below, above) <= _NARROW:
        return "undecided"
    return rounded(math.sqrt(kept * between[0]) if below >= above else math.sqrt(between[-1] * failed))


def search_plan(plan: LoadPlan, slos: Sequence[Slo], limit: Limit | None, most_arrivals: int) -> LoadPlan:
    """The plan of a search for the capacity, from that of its first step.

    Raises:
        UsageError: it cannot be searched for in this way.
    """
    if plan.arrivals != "poisson":
        raise UsageError(
            f"--arrivals {plan.arrivals}: a capacity is a rate of independent clients, who come as poisson"
        )
    if not (plan.rate_per_s > 0 and plan.duration_s > 0 and plan.warmup_s >= 0):
        return plan  # which is refused for that
    search = SearchPlan.of(
        rounded(plan.rate_per_s), plan.duration_s, slos, limit=limit, most_arrivals=most_arrivals / MOST_STEPS
    )
    warmup_s = max(plan.warmup_s, SETTLED * max(slo.bound_s for slo in slos)) if plan.warmup_s > 0 else 0.0
    return replace(
        plan, rate_per_s=search.start_per_s, duration_s=search.look_s, warmup_s=warmup_s,
        stages=search.stages(warmup_s), search=search,
    )  # fmt: skip


def look_plan(plan: LoadPlan, search: SearchPlan, look: Look) -> LoadPlan:
    """The plan of one run: an open loop at one rate, with its own warm-up, schedule and prompts."""
    lasts = search.seconds(look.rate_per_s, look.number)
    measured = Stage(look.stage, MEASURED, lasts, look.rate_per_s, None, step_name(look.step))
    warmup = Stage("warmup", WARMUP, plan.warmup_s, look.rate_per_s)
    return replace(
        plan,
        rate_per_s=look.rate_per_s,
        duration_s=measured.duration_s,
        seed=plan.seed * 1000 + look.step * 10 + look.number,
        stages=(warmup, measured) if plan.warmup_s > 0 else (measured,),
        search=None,
    )
