"""A plan beside the limit of its key: whether it stays within, and at which rate it would."""

from __future__ import annotations

from dataclasses import replace

from testcard.core.errors import UsageError
from testcard.core.quantity import human_s
from testcard.core.target import Limit
from testcard.load.capacity.plan import SearchPlan
from testcard.load.plan import CLOSED, CROWD, MOST_ARRIVALS, PROBE, REPLACE, LoadPlan


def with_rate(plan: LoadPlan, rate_per_s: float) -> LoadPlan:
    """The same plan, of an open loop, at another rate."""
    factor = rate_per_s / plan.rate_per_s
    stages = tuple(
        replace(
            stage,
            rate_per_s=stage.rate_per_s * factor,
            to_rate_per_s=None if stage.to_rate_per_s is None else stage.to_rate_per_s * factor,
        )
        for stage in plan.stages
    )
    return replace(plan, rate_per_s=rate_per_s, stages=stages)


def highest_rate_per_s(plan: LoadPlan, limit: Limit) -> float:
    """The highest rate at which this plan's own arrivals stay within a limit, to 0.1 %; of an open loop.

    Poisson arrivals bunch, so it is below the limit's even rate on a long run, and above it on a short one.
    """
    total = sum(stage.expected for stage in plan.stages) / plan.rate_per_s
    low, high = (
        0.0,
        min(2.0 * max(limit.requests / total, limit.rate_per_s * (limit.burst or 1.0)), MOST_ARRIVALS / total),
    )
    while high - low > high * 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if with_rate(plan, middle).keeps(limit) else (low, middle)
    return low


def allowance(plan: LoadPlan, limit: Limit) -> str:
    """What would keep a limit, in a few words."""
    if plan.search is not None:
        most = SearchPlan.evenly(limit)
        return f"Poisson arrivals bunch, so that no step of a search may be above {most:.3g}/s"
    if plan.loop == CLOSED:
        return "fewer --clients, or a longer --think"
    if plan.loop == CROWD:
        return "a crowd goes over it on purpose"
    if plan.loop == PROBE:
        return "it goes over it on purpose"
    if plan.loop == REPLACE:
        return f"one person types {plan.rate_per_s * 60:.0f} prompts a minute: that takes a key that allows as many"
    return f"for this duration and seed the highest rate is {highest_rate_per_s(plan, limit):.3g}/s"


def pace(plan: LoadPlan) -> str:
    """How arrivals come, in a few words."""
    if plan.loop == CLOSED:
        return (
            f"{plan.clients} clients, {human_s(plan.think_s)} to think, at most {plan.rate_per_s:.3g}/s, a closed loop"
        )
    if plan.loop == CROWD:
        return f"{plan.clients} clients within {human_s(plan.duration_s)}, and again as their policy says"
    if plan.limit is not None:
        most, span = plan.limit.most_requests, human_s(plan.limit.most_s)
        return f"at most {most} requests in {span} to identify it, then two waits; 1 image if refused bodies count"
    if plan.loop == REPLACE:
        shortest, longest = plan.gap_s
        return f"one person, a prompt every {human_s(shortest)} to {human_s(longest)}"
    if plan.search is not None:
        return f"a search from {plan.rate_per_s:g}/s, to {plan.search.ceiling_per_s:g}/s at most, {plan.arrivals}"
    return f"{plan.rate_per_s:g}/s {plan.arrivals}"


def require_within(plan: LoadPlan, limit: Limit | None) -> None:
    """Refuse a plan that would exceed the limit of its key.

    Raises:
        UsageError: it does; says what would not.
    """
    if limit is None or plan.keeps(limit):
        return
    burst = f" (burst {limit.burst:g})" if limit.burst else ""
    if plan.limit is not None:
        raise UsageError(
            f"--scenario {plan.scenario} goes over the declared limit of {limit.requests} requests in "
            f"{limit.window_s:g} s{burst} on purpose: pass --above-limit"
        )
    raise UsageError(
        f"{pace(plan)}: the plan exceeds the declared limit of {limit.requests} requests in "
        f"{limit.window_s:g} s{burst}; {allowance(plan, limit)}; change that, or pass --above-limit"
    )
