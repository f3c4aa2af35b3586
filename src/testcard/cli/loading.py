"""What the load options make together, and what a target outside loopback asks for first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testcard.cli.options import Aim
from testcard.core.errors import UsageError
from testcard.core.target import Keyring, Slo, Target

if TYPE_CHECKING:
    from testcard.load import LoadPlan


def plan_of(
    target: Target,
    seed: int,
    *,
    scenario: str,
    rate: float | None,
    duration: float | None,
    warmup: float | None,
    arrivals: str | None,
    processes: int,
    size: str | None,
    n: str | None,
    response_format: str | None,
    clients: int | None,
    think: float | None,
    policies: tuple[str, ...],
    slos: tuple[Slo, ...] = (),
    above_limit: bool = False,
    **_: object,
) -> LoadPlan:
    """The plan that the options make.

    Args:
        slos: what has to hold, where the scenario is a search.

    Raises:
        UsageError: they make none.
    """
    from testcard.load import plan_load

    return plan_load(
        target,
        scenario_name=scenario,
        rate_per_s=rate,
        duration_s=duration,
        warmup_s=warmup,
        arrivals=arrivals,
        processes=processes,
        size=size,
        n=n,
        response_format=response_format,
        clients=clients,
        think_s=think,
        policies=policies,
        seed=seed,
        slos=slos,
        limit=None if target.on_loopback or above_limit else target.limit,
    )


def slos_of(target: Target, texts: tuple[str, ...], scenario: str = "") -> tuple[Slo, ...]:
    """The SLOs that a load is judged by: the target's own and those of the command line.

    A search for the capacity is for what the command line asks, or the target's, or `p95<=1s`.
    """
    from testcard.load import DEFAULT_SLO, parse_slo
    from testcard.load import scenario as shape_of

    asked = tuple(parse_slo(text) for text in texts)
    if scenario and shape_of(scenario).search:
        return asked or target.slos or (DEFAULT_SLO,)
    return (*target.slos, *asked)


def _require_key(plan: LoadPlan, target: Target) -> None:
    keyring = Keyring(target)
    if target.auth == "bearer" and plan.key != "main" and keyring.get(plan.key) is None:
        raise UsageError(
            f"--scenario {plan.scenario} uses the {plan.key} key: set {keyring.variable(plan.key)}, or remove "
            f"[target.{plan.key}] to use the main one"
        )


def permitted(aimed: Aim, plan: LoadPlan, *, above_limit: bool, sends: bool = True) -> str | None:
    """Why this load must not be sent, or None where it may. On loopback everything may.

    Args:
        sends: whether it is sent from here, with a key of this environment; the master of a cluster needs none.

    Raises:
        UsageError: the key that it needs is not set.
    """
    from testcard.load import require_within

    target = aimed.required()
    _require_key(plan, target)
    if target.on_loopback:
        return None
    if not aimed.confirmed:
        return f"load on {target.host} needs --confirm-host {target.host}"
    if aimed.budget_images is None and aimed.budget_usd is None:
        return f"load on {target.host} needs --budget-images or --budget-usd; this plan asks for {plan.images} images"
    if not above_limit:
        try:
            require_within(plan, target.limited if plan.key == "limited" else target.limit)
        except UsageError as error:
            return str(error)
    keyring = Keyring(target)
    if sends and target.auth == "bearer" and keyring.get("main") is None:
        return f"load on {target.host} needs a key, without one all of it is refused: set {keyring.variable('main')}"
    return None
