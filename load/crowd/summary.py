"""What the records of a load say about its crowds, beside what was to be expected of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from testcard.core.crowd import CrowdFigures, CrowdSummary
from testcard.core.record import Record
from testcard.core.target import Limit
from testcard.load.crowd.attempt import Attempt
from testcard.load.crowd.figures import figures
from testcard.load.crowd.plan import CrowdPlan
from testcard.load.crowd.policy import policy
from testcard.load.crowd.simulation import simulate
from testcard.mock_server.limiter import Shape, limiter

COMPARED = ("naive-fixed", "well-behaved")
"""Policies that every forecast has, beside those of the plan."""
_KINDS = ("fixed-first", "token-bucket")
"""Limiters that keep a declared limit and treat a crowd differently: all places at once, or one by one."""


class CrowdRecords:
    """Takes the records of a load; those of no crowd are passed over."""

    def __init__(self) -> None:
        self._attempts: dict[str, list[Attempt]] = {}

    def add(self, record: Record) -> None:
        if record.client is not None and record.outcome is not None and record.stage is not None:
            self._attempts.setdefault(record.stage, []).append(
                Attempt(record.client, record.attempt, record.planned_s, record.outcome, record.last_byte_s)
            )

    def summary(self, plan: CrowdPlan, clients: int, span_s: float, seed: int, *, complete: bool) -> CrowdSummary:
        """The crowds of a plan. One that never began is not among them.

        Args:
            complete: the load came to its end; if not, the last crowd was under way.
        """
        begun = [name for name in plan.policies if name in self._attempts]
        return CrowdSummary(
            key=plan.key,
            limit=f"{plan.limit.requests} requests in {plan.limit.window_s:g} s" if plan.limit else "none declared",
            crowds=tuple(
                figures(policy(name), clients, span_s, self._attempts[name], cut_off=not complete and name == begun[-1])
                for name in begun
            ),
            forecast=tuple(forecast(plan, clients, span_s, seed)),
        )


def forecast(plan: CrowdPlan, clients: int, span_s: float, seed: int) -> Iterator[CrowdFigures]:
    """The crowds of a plan, and those to compare them with, against limiters that keep the declared limit.

    Pictures take no time there.
    """
    if plan.limit is None:
        return
    for name in _named(plan.policies):
        for kind in _KINDS:
            yield simulated(name, plan.limit, kind, clients, span_s, seed)


def simulated(name: str, limit: Limit, kind: str, clients: int, span_s: float, seed: int) -> CrowdFigures:
    """The figures of one crowd against a limiter of one kind."""
    told = simulate(policy(name), limiter(limit, Shape(kind)), clients=clients, span_s=span_s, seed=seed)
    return figures(policy(name), clients, span_s, told, against=kind)


def _named(policies: Iterable[str]) -> list[str]:
    return [*dict.fromkeys((*policies, *COMPARED))]
