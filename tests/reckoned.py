"""A search for the capacity with the real plans and verdicts, on a server and a clock that are reckoned."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queueing import Server
from testcard.core.capacity import CapacityFigures
from testcard.core.target import Slo
from testcard.core.targetfile import profile_target
from testcard.load import plan_load
from testcard.load.bound import Sample
from testcard.load.capacity.figures import figures
from testcard.load.capacity.judging import ByStage, Followed, follow
from testcard.load.capacity.search import Look, look_plan
from testcard.load.plan import LoadPlan
from testcard.load.tally import Tally

Served = Callable[[Look, LoadPlan], list[Sample]]


@dataclass(frozen=True, slots=True)
class Searched:
    """A search that is over."""

    plan: LoadPlan
    figures: CapacityFigures
    sent: int
    seconds: float


def searched(
    served: Served,
    slos: Sequence[Slo],
    rate: float,
    *,
    seed: int = 1,
    late: Callable[[Look], str | None] = lambda _: None,
    warmup_s: float = 5.0,
) -> Searched:
    """A search to its end.

    Args:
        late: why the generator was the limit in a run.
    """
    plan = plan_load(
        profile_target("mock"), scenario_name="capacity", rate_per_s=rate, duration_s=20.0, warmup_s=warmup_s,
        slos=tuple(slos), seed=seed,
    )  # fmt: skip
    assert plan.search is not None
    samples: dict[str, list[Sample]] = {}
    tallies: dict[str, Tally] = {}
    whys: dict[str, str | None] = {}
    sent, seconds = 0, 0.0
    found: Followed | None = None
    while True:
        found = follow(plan, plan.search, slos, ByStage(samples, tallies, lambda stage: whys[stage]), None, found)
        if found.ahead is None:
            return Searched(plan, figures(found, plan.search, slos), sent, seconds)
        look = found.ahead
        step = look_plan(plan, plan.search, look)
        sent, seconds = sent + step.count, seconds + sum(stage.duration_s for stage in step.stages)
        samples[look.stage], tallies[look.stage], whys[look.stage] = served(look, step), Tally(), late(look)


def serving(server: Server) -> Served:
    """What each run meets on a server that has nothing to do at its begin."""

    def served(look: Look, step: LoadPlan) -> list[Sample]:
        schedule = step.schedule()
        answers = server.answers([arrival.offset_s for arrival in schedule], random.Random(f"{step.seed} served"))
        found = []
        for arrival, (outcome, span) in zip(schedule, answers, strict=True):
            met = span if outcome == "valid" else None
            if arrival.phase == "measured":
                found.append(Sample(None, outcome, met, met, look.stage, arrival.offset_s))
        return found

    return served
