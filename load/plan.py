"""The plan of a load: every arrival's time, computed before the first is sent.

The number of arrivals of a stage is rate times duration, so that its cost is known beforehand. With `constant`
they are evenly spaced. With `poisson` they lie at independent uniform times: that is a Poisson process, given its
number of arrivals (Ross, Stochastic Processes, 2nd edition, theorem 2.3.1), and MLPerf's and most tools'
exponential gaps without the chance in the total.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from testcard.core.errors import UsageError
from testcard.core.limit import constraints
from testcard.core.quantity import size_px
from testcard.core.record import Jsonable
from testcard.core.target import Limit, Target
from testcard.load.scenario import scenario

WARMUP = "warmup"
MEASURED = "measured"
PHASES = (WARMUP, MEASURED)
ARRIVALS = ("constant", "poisson")
_MOST_ARRIVALS = 2_000_000
_JITTER_S = 0.25
_MOST_PROCESSES = 64


@dataclass(frozen=True, slots=True)
class Arrival:
    """One planned request."""

    index: int
    """From 0, in the order of the schedule; unique over all workers."""
    offset_s: float
    """When it is due, from the start of the load."""
    phase: str


@dataclass(frozen=True, slots=True)
class Stage(Jsonable):
    """A stretch of the load at one rate."""

    phase: str
    duration_s: float
    rate_per_s: float

    @property
    def count(self) -> int:
        """Arrivals in it."""
        return round(self.rate_per_s * self.duration_s)


@dataclass(frozen=True, slots=True)
class LoadPlan(Jsonable):
    """What a load sends, and when. The same plan gives the same arrivals and the same requests."""

    scenario: str
    rate_per_s: float
    duration_s: float
    """Of the measured phase."""
    warmup_s: float
    arrivals: str
    """`constant` or `poisson`."""
    processes: int
    n: int
    seed: int
    in_flight_cap: int
    """Arrivals under way at once, over all workers."""
    stages: tuple[Stage, ...]
    size: str | None = None
    """None: left out of the request."""
    response_format: str | None = None
    """None: left out of the request."""
    model: str | None = None

    @property
    def count(self) -> int:
        """Arrivals in all."""
        return sum(stage.count for stage in self.stages)

    @property
    def images(self) -> int:
        """Images that it asks for."""
        return self.count * self.n

    @property
    def total_s(self) -> float:
        """From the start to the last moment at which an arrival may be due, seconds."""
        return sum(stage.duration_s for stage in self.stages)

    def usd(self, price: float | None) -> float | None:
        """What the images cost, or None where the price is unknown."""
        return None if price is None else round(self.images * price, 6)

    def schedule(self) -> list[Arrival]:
        """Every arrival, in the order of time."""
        found: list[Arrival] = []
        begin = 0.0
        for number, stage in enumerate(self.stages):
            found += [
                Arrival(len(found) + index, begin + offset, stage.phase)
                for index, offset in enumerate(self._offsets(number, stage))
            ]
            begin += stage.duration_s
        return found

    def share(self, worker: int) -> list[Arrival]:
        """The arrivals of one worker: every arrival belongs to exactly one."""
        return self.schedule()[worker :: self.processes]

    def worker_cap(self, worker: int) -> int:
        """The part of the in-flight cap that one worker keeps."""
        each, rest = divmod(self.in_flight_cap, self.processes)
        return each + (worker < rest)

    def _offsets(self, number: int, stage: Stage) -> list[float]:
        if self.arrivals == "constant":
            return [index / stage.rate_per_s for index in range(stage.count)]
        # Seeded with the stage's number too: two stages alike must not repeat each other's gaps.
        dice = random.Random(f"{self.seed} {self.scenario} {number}")  # noqa: S311 (a schedule, not a secret)
        return sorted(dice.random() * stage.duration_s for _ in range(stage.count))

    def keeps(self, limit: Limit) -> bool:
        """Whether the schedule stays within a declared limit, in every window of it."""
        times = [arrival.offset_s for arrival in self.schedule()]
        return all(_fits(times, requests, window) for requests, window in constraints(limit))

    def require_within(self, limit: Limit | None) -> None:
        """Refuse a schedule that would exceed the limit of its key.

        Raises:
            UsageError: it does; says which rate would not.
        """
        if limit is None or self.keeps(limit):
            return
        highest = highest_rate_per_s(self, limit)
        burst = f" (burst {limit.burst:g})" if limit.burst else ""
        raise UsageError(
            f"--rate {self.rate_per_s:g}: the plan exceeds the declared limit of {limit.requests} requests in "
            f"{limit.window_s:g} s{burst}; for this duration and seed the highest rate is {highest:.3g}/s. "
            "Take --rate lower, or pass --above-limit"
        )


def _fits(times: Sequence[float], requests: int, window_s: float) -> bool:
    # Requests do not arrive as evenly as they leave: what is exactly at the limit here may be over it there.
    apart_s = window_s + _JITTER_S
    return all(later - earlier >= apart_s for earlier, later in zip(times, times[requests:], strict=False))


def with_rate(plan: LoadPlan, rate_per_s: float) -> LoadPlan:
    """The same plan at another rate."""
    factor = rate_per_s / plan.rate_per_s
    stages = tuple(replace(stage, rate_per_s=stage.rate_per_s * factor) for stage in plan.stages)
    return replace(plan, rate_per_s=rate_per_s, stages=stages)


def highest_rate_per_s(plan: LoadPlan, limit: Limit) -> float:
    """The highest rate at which this plan's own arrivals stay within a limit, to 0.1 %.

    Poisson arrivals bunch, so it is below the limit's even rate on a long run, and above it on a short one.
    """
    total = sum(stage.duration_s * stage.rate_per_s for stage in plan.stages) / plan.rate_per_s
    low, high = (
        0.0,
        min(2.0 * max(limit.requests / total, limit.rate_per_s * (limit.burst or 1.0)), _MOST_ARRIVALS / total),
    )
    while high - low > high * 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if with_rate(plan, middle).keeps(limit) else (low, middle)
    return low


def plan_load(
    target: Target,
    *,
    scenario_name: str = "steady",
    rate_per_s: float | None = None,
    duration_s: float | None = None,
    warmup_s: float | None = None,
    arrivals: str | None = None,
    processes: int = 1,
    size: str | None = None,
    n: int = 1,
    response_format: str | None = None,
    seed: int = 1,
    in_flight_cap: int | None = None,
) -> LoadPlan:
    """The plan that options make of a scenario; None takes the scenario's or the target's default.

    Raises:
        UsageError: an option is wrong, or asks for what the target does not declare.
    """
    shape = scenario(scenario_name)
    rate = shape.rate_per_s if rate_per_s is None else rate_per_s
    spans = {
        "duration": shape.duration_s if duration_s is None else duration_s,
        "warmup": shape.warmup_s if warmup_s is None else warmup_s,
    }
    plan = LoadPlan(
        scenario=shape.name,
        rate_per_s=rate,
        duration_s=spans["duration"],
        warmup_s=spans["warmup"],
        arrivals=arrivals or shape.arrivals,
        processes=processes,
        n=n,
        seed=seed,
        in_flight_cap=in_flight_cap or shape.in_flight_cap,
        stages=tuple(
            Stage(stage.phase, spans[stage.of] * stage.share, rate * stage.rate)
            for stage in shape.stages
            if spans[stage.of] > 0
        ),
        size=size or target.default_size,
        response_format=response_format or target.default_response_format,
        model=target.model,
    )
    _check(plan, target)
    return plan


def _check(plan: LoadPlan, target: Target) -> None:
    wrong = (
        (not plan.rate_per_s > 0, "--rate must be above 0"),
        (not plan.duration_s > 0, "--duration must be above 0"),
        (plan.warmup_s < 0, "--warmup must not be negative"),
        (plan.arrivals not in ARRIVALS, f"--arrivals {plan.arrivals}: one of {', '.join(ARRIVALS)}"),
        (not 1 <= plan.processes <= _MOST_PROCESSES, f"--processes must be from 1 to {_MOST_PROCESSES}"),
        (plan.in_flight_cap < plan.processes, "the in-flight cap must be at least 1 for each process"),
        (not 1 <= plan.n <= target.max_n, f"--n {plan.n}: the target declares 1 to {target.max_n}"),
        (
            bool(target.sizes) and plan.size not in target.sizes,
            f"--size {plan.size}: the target declares {', '.join(target.sizes)}",
        ),
        (
            plan.size not in (None, "auto") and size_px(plan.size or "") is None,
            f"--size {plan.size}: write WIDTHxHEIGHT, for example 1024x1024",
        ),
        (
            plan.response_format not in target.response_formats,
            f"--response-format {plan.response_format}: the target declares {', '.join(target.response_formats)}",
        ),
        (plan.count > _MOST_ARRIVALS, f"{plan.count} arrivals are too many for one run: at most {_MOST_ARRIVALS}"),
        (plan.count < 1, "--rate and --duration make no arrival: raise one of them"),
    )
    for applies, sentence in wrong:
        if applies:
            raise UsageError(sentence)
