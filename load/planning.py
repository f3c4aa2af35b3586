"""From options to a plan: defaults of the scenario and the target, and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from testcard.core.errors import UsageError
from testcard.core.quantity import size_px
from testcard.core.target import Limit, Slo, Target
from testcard.load.capacity.plan import DEFAULT_SLO
from testcard.load.capacity.search import search_plan
from testcard.load.crowd.plan import CrowdPlan
from testcard.load.limitlab.plan import LimitPlan
from testcard.load.mix import PLAIN, Kind, Weighted, mixed, parse_weighted
from testcard.load.plan import ARRIVALS, CLOSED, CROWD, MOST_ARRIVALS, OPEN, PROBE, REPLACE, LoadPlan
from testcard.load.scenario import Scenario, scenario
from testcard.load.stage import MEASURED, Stage

_MOST_PROCESSES = 64
_MOST_CLIENTS = 10_000


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
    n: int | str | None = None,
    response_format: str | None = None,
    clients: int | None = None,
    think_s: float | None = None,
    policies: tuple[str, ...] = (),
    seed: int = 1,
    in_flight_cap: int | None = None,
    slos: Sequence[Slo] = (),
    limit: Limit | None = None,
) -> LoadPlan:
    """The plan that options make of a scenario; None takes the scenario's or the target's default.

    Args:
        size: one size, or several with weights: `1024x1024=3,512x512=1`; likewise `n` and `response_format`.
        slos: of a search for the capacity: what has to hold.
        limit: of a search for the capacity: the limit of the key, where it has to keep it.

    Raises:
        UsageError: an option is wrong, or asks for what the target does not declare.
    """
    shape = scenario(scenario_name)
    _check_loop(shape, rate_per_s, arrivals, clients, think_s, processes)
    if shape.loop != CROWD and policies:
        raise UsageError(f"--policy means nothing to the scenario {shape.name}: only a crowd asks again")
    if shape.loop == CROWD and warmup_s:
        raise UsageError(f"--warmup means nothing to the scenario {shape.name}: it would use up the limit")
    if shape.loop == PROBE:
        return _probing(shape, target, duration_s, warmup_s, seed)
    crowd = CrowdPlan.of(target, policies or shape.policies) if shape.loop == CROWD else None
    clients = shape.clients if clients is None else clients
    think_s = shape.think_s if think_s is None else think_s
    if shape.loop == CLOSED and not (1 <= clients <= _MOST_CLIENTS and think_s > 0):
        raise UsageError(
            f"--clients must be from 1 to {_MOST_CLIENTS}, and --think above 0s: together they bound the cost"
        )
    if shape.loop == CROWD and not 1 <= clients <= _MOST_CLIENTS:
        raise UsageError(f"--clients must be from 1 to {_MOST_CLIENTS}")
    rate = {
        OPEN: shape.rate_per_s if rate_per_s is None else rate_per_s,
        CLOSED: clients / (think_s or 1.0),
        REPLACE: 2.0 / (sum(shape.gap_s) or 1.0),
        CROWD: clients / (shape.duration_s if duration_s is None else duration_s or 1.0),
    }[shape.loop]
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
        seed=seed,
        in_flight_cap=in_flight_cap or max(shape.in_flight_cap, clients),
        stages=_crowds(crowd, clients, spans["duration"])
        if crowd
        else tuple(
            Stage(
                stage.name,
                stage.phase,
                spans[stage.of] * stage.share,
                rate * stage.rate,
                None if stage.to is None else rate * stage.to,
                (stage.name if stage.judged_as is None else stage.judged_as) if stage.phase == MEASURED else "",
            )
            for stage in shape.stages
            if spans[stage.of] > 0
        ),
        mix=_mix(shape, target, size, n, response_format),
        model=target.model,
        loop=shape.loop,
        clients=clients,
        think_s=think_s,
        gap_s=shape.gap_s,
        crowd=crowd,
    )
    if shape.search:
        plan = search_plan(plan, slos or (DEFAULT_SLO,), limit, MOST_ARRIVALS)
    _check(plan, target)
    return plan


def _probing(shape: Scenario, target: Target, duration_s: float | None, warmup_s: float | None, seed: int) -> LoadPlan:
    """The plan of an investigation: at most so many requests, for at most so long."""
    if warmup_s:
        raise UsageError(f"--warmup means nothing to the scenario {shape.name}: it would use up the limit")
    limit = LimitPlan.of(target, duration_s)
    stage = Stage(shape.name, MEASURED, limit.total_s, limit.count / limit.total_s)
    return LoadPlan(
        scenario=shape.name,
        rate_per_s=stage.rate_per_s,
        duration_s=limit.total_s,
        warmup_s=0.0,
        arrivals=shape.arrivals,
        processes=1,
        seed=seed,
        in_flight_cap=shape.in_flight_cap,
        stages=(stage,),
        model=target.model,
        loop=shape.loop,
        limit=limit,
    )


def _crowds(crowd: CrowdPlan, clients: int, span_s: float) -> tuple[Stage, ...]:
    """One crowd, one stage, the pause after it included; at the rate of all the requests that there may be."""
    found = []
    for name in crowd.policies:
        lasts = crowd.usual_s(name, span_s) + (crowd.pause_s if name != crowd.policies[-1] else 0.0)
        found.append(Stage(name, MEASURED, lasts, clients * crowd.tries(name) / lasts))
    return tuple(found)


def _mix(
    shape: Scenario, target: Target, size: str | None, n: int | str | None, response_format: str | None
) -> tuple[Kind, ...]:
    def weighted(value: int | str | None, option: str) -> Weighted | None:
        return None if value is None else parse_weighted(str(value), option)

    rows = mixed(
        shape.mix or (PLAIN,),
        sizes=weighted(size, "--size"),
        numbers=weighted(n, "--n"),
        formats=weighted(response_format, "--response-format"),
    )
    filled = [
        replace(
            kind,
            size=kind.size or target.default_size,
            response_format=kind.response_format or _default_format(target),
        )
        for kind in rows
    ]
    return mixed(filled, sizes=None, numbers=None, formats=None)  # what the defaults made alike is one kind


def _default_format(target: Target) -> str | None:
    """The form to ask for; None where the target takes no such field."""
    return target.default_response_format if target.takes("response_format") else None


def _check_loop(
    shape: Scenario, rate: float | None, arrivals: str | None, clients: int | None, think: float | None, processes: int
) -> None:
    why = {
        CLOSED: "its clients ask when they have been answered; use --clients and --think",
        REPLACE: "one person types at a pace of their own",
        CROWD: "its clients ask within --duration, and again as their --policy says; use --clients",
        PROBE: "its requests come when they tell most",
        OPEN: "its arrivals come at a rate; --clients and --think are of the scenario closed",
    }[shape.loop]
    given = {
        "--rate": rate is not None and shape.loop != OPEN,
        "--arrivals": arrivals is not None and shape.loop != OPEN,
        "--clients": clients is not None and shape.loop not in (CLOSED, CROWD),
        "--think": think is not None and shape.loop != CLOSED,
        "--processes": processes > 1 and shape.loop in (REPLACE, CROWD, PROBE),
    }
    for option, applies in given.items():
        if applies:
            raise UsageError(f"{option} means nothing to the scenario {shape.name}: {why}")


def _check(plan: LoadPlan, target: Target) -> None:
    wrong = [
        (not plan.rate_per_s > 0, "--rate must be above 0"),
        (not plan.duration_s > 0, "--duration must be above 0"),
        (plan.warmup_s < 0, "--warmup must not be negative"),
        (plan.arrivals not in ARRIVALS, f"--arrivals {plan.arrivals}: one of {', '.join(ARRIVALS)}"),
        (not 1 <= plan.processes <= _MOST_PROCESSES, f"--processes must be from 1 to {_MOST_PROCESSES}"),
        (plan.in_flight_cap < plan.processes, "the in-flight cap must be at least 1 for each process"),
        (
            plan.loop == CLOSED and plan.clients < plan.processes,
            f"--processes {plan.processes}: {plan.clients} clients cannot be shared among so many",
        ),
    ]
    for kind in plan.mix:
        wrong += _wrong_kind(kind, target)
    expected = sum(stage.expected for stage in plan.stages)  # before a list so long is made
    wrong += [
        (expected > MOST_ARRIVALS, f"{expected:.7g} arrivals are too many for one run: at most {MOST_ARRIVALS}"),
    ]
    for applies, sentence in wrong:
        if applies:
            raise UsageError(sentence)
    measured = [number for stage, number in zip(plan.stages, plan.by_stage(), strict=True) if stage.phase == MEASURED]
    if not sum(measured):
        raise UsageError("--rate and --duration make no arrival: raise one of them")


def _wrong_kind(kind: Kind, target: Target) -> list[tuple[bool, str]]:
    return [
        (not 1 <= kind.n <= target.max_n, f"--n {kind.n}: the target declares 1 to {target.max_n}"),
        (
            bool(target.sizes) and kind.size not in (None, *target.sizes),
            f"--size {kind.size}: the target declares {', '.join(target.sizes)}",
        ),
        (
            kind.size not in (None, "auto") and size_px(kind.size or "") is None,
            f"--size {kind.size}: write WIDTHxHEIGHT, for example 1024x1024",
        ),
        (
            kind.response_format is not None and not target.takes("response_format"),
            f"--response-format: the target takes no response_format; it answers {target.default_response_format}",
        ),
        (
            kind.response_format not in (None, *target.response_formats),
            f"--response-format {kind.response_format}: the target declares {', '.join(target.response_formats)}",
        ),
    ]
