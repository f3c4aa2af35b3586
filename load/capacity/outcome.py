"""A search that is over, as conclude.py needs it: the plan that was really followed, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from testcard.core.capacity import CapacityFigures
from testcard.core.target import Slo
from testcard.load.bound import Judged
from testcard.load.capacity.figures import figures, shown_bounds
from testcard.load.capacity.judging import ByStage, follow
from testcard.load.capacity.plan import SearchPlan
from testcard.load.capacity.search import LATE, look_plan
from testcard.load.plan import LoadPlan
from testcard.load.validity import OK
from testcard.load.verdict import KEPT


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search has come to."""

    plan: LoadPlan
    """With the runs that there were for its stages."""
    figures: CapacityFigures
    judged: tuple[Judged, ...]
    """The SLOs."""
    validity: tuple[str, str | None]
    """As of a single load; of a search that passed at some rate `ok`, whatever ended it above."""


def searched(
    plan: LoadPlan, search: SearchPlan, slos: Sequence[Slo], seen: ByStage, price_usd: float | None
) -> Searched:
    """What a search has come to, however it ended."""
    found = follow(plan, search, slos, seen, price_usd)
    stages = tuple(
        stage
        for one in found.tried
        for look in one.looks
        for stage in look_plan(plan, search, look).stages
        if stage.name == look.stage
    )
    steps = {one.step.name: one for one in found.tried}
    judged = tuple(
        Judged(bound, {name: one.bounds[index].verdict for name, one in steps.items()})
        for index, bound in enumerate(shown_bounds(found, search, slos))
    )
    late = next((one.step for one in found.tried if one.step.verdict == LATE), None)
    passed = any(one.step.verdict == KEPT for one in found.tried)
    return Searched(
        plan=replace(plan, stages=stages, duration_s=sum(stage.duration_s for stage in stages) or plan.duration_s),
        figures=figures(found, search, slos),
        judged=judged,
        validity=(OK, None) if late is None or passed else ("generator-late", late.note),
    )
