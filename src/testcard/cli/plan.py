"""`testcard plan`: what a check or a load would send. Sends nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from testcard.cli.options import aim, check_options, load_options, target_options
from testcard.core.budget import Budget
from testcard.core.quantity import human_s
from testcard.core.target import Target
from testcard.core.targetfile import profile_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testcard.core.crowd import CrowdFigures
    from testcard.load import LoadPlan

_ANSWER_S = 1.0
"""How long an answer is taken to take, for the estimate of minutes."""


@click.command(
    short_help="Say what would be sent and what it costs. Sends nothing.",
    epilog="""\b
Examples:
  testcard plan --target aigateway
  testcard plan --target aigateway --thorough --rate 5 --duration 10m
""",
)
@target_options
@check_options
@load_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plan(*, only: tuple[str, ...], thorough: bool, slos: tuple[str, ...], as_json: bool, **options: object) -> None:
    """Say what a check and a load would send: requests, billed images, money, minutes. Sends nothing."""
    from testcard.cli.loading import plan_of, slos_of

    aimed = aim(**options)  # type: ignore[arg-type]  # click hands over the options that target_options names
    target = aimed.target or profile_target("mock")
    check = _check(target, only, aimed.seed, thorough=thorough)
    on = slos_of(target, slos, str(options["scenario"]))
    load = plan_of(target, slos=on, **options)  # type: ignore[arg-type]  # and those that load_options names
    loading = _load(target, load)
    if as_json:
        click.echo(json.dumps({"target": target.describe(), "check": check, "load": loading}, indent=2))
        return
    click.echo(f"{target.name} at {target.base_url} · {target.model or 'no model named'}")
    click.echo(f"check   {_line(check)}")
    if check["limited_requests"]:
        click.echo(
            f"        and up to {check['limited_requests']} requests on the limited key: bodies that are refused, "
            f"or, if those do not count, up to {check['limited_images']} images"
        )
    click.echo(f"load    {'at most ' if loading['at_most'] else ''}{_line(loading)}")
    asks = f"; asks for {loading['asks']}" if loading["asks"] else ""
    click.echo(f"        {loading['scenario']}: {loading['pace']}{asks}")
    if load.search is not None:
        click.echo(f"        the dearest way that it can go; no higher, since {load.search.ceiling}")
    for stage in loading["stages"]:
        click.echo(f"        {_stage(stage)}")
    if loading["limit"] is not None:
        click.echo(f"        {loading['limit']}")
    if loading["seconds_at_most"] > loading["seconds"]:
        longest = human_s(loading["seconds_at_most"])
        click.echo(f"        up to {longest} if every refusal asks for the longest wait that these clients obey")
    for sentence in loading["forecast"]:
        click.echo(f"        {sentence}")
    most = Budget(aimed.budget_images, aimed.budget_usd, target.price_usd_per_image).left
    if most is not None:
        click.echo(f"budget  {most:,} images: {_covered(most, check['images'], loading['images'])}")


def _covered(most: int, check: int, load: int) -> str:
    if check + load <= most:
        return "enough for both"
    parts = {"the check": check, "the load": load, "both": check + load}
    return ", ".join(f"{'enough' if images <= most else 'NOT ENOUGH'} for {name}" for name, images in parts.items())


def _check(target: Target, only: tuple[str, ...], seed: int, *, thorough: bool) -> dict[str, Any]:
    from testcard.conformance import CheckOptions, selected
    from testcard.conformance.probe import needed
    from testcard.conformance.session import Session
    from testcard.conformance.suite import planned_requests
    from testcard.core.target import Keyring

    session = Session(target, Keyring(target), CheckOptions(seed=seed, thorough=thorough))
    try:
        wanted = selected(only)
        requests = planned_requests(session, wanted)
        costs = [(probe.key, probe.cost(session)) for probe in needed(session, wanted)]
    finally:
        session.close()
    limited = [cost for key, cost in costs if key == "limited"]
    others = [cost for key, cost in costs if key != "limited"]
    images = sum(request.images for request in requests if request.key != "empty_wallet")
    images += sum(cost.images for cost in others)
    sent = len(requests) + sum(cost.requests for cost in others)
    return {
        "requests": sent,
        "images": images,
        "usd": _usd(images, target),
        "limited_requests": sum(cost.requests for cost in limited),
        "limited_images": sum(cost.images for cost in limited),
        "seconds": round(max(sent * _ANSWER_S / 4, *(cost.seconds for _, cost in costs), 0.0)),
    }


def _named(load: LoadPlan, *, open_loop: bool) -> str:
    """What keeps a limit or exceeds it."""
    from testcard.load import pace

    if load.limit is not None:
        return "the search"
    return f"{load.rate_per_s:g}/s" if open_loop else pace(load)


def _load(target: Target, load: LoadPlan) -> dict[str, Any]:
    from testcard.load import allowance, highest_rate_per_s, pace
    from testcard.load.mix import told

    limit = None
    declared = target.limited if load.key == "limited" else target.limit
    if declared is not None:
        keeps = load.keeps(declared)
        open_loop = load.loop == "open" and load.search is None
        limit = (
            f"{_named(load, open_loop=open_loop)} {'keeps' if keeps else 'EXCEEDS'} the "
            f"key's limit of {declared.requests} requests in {declared.window_s:g} s"
        )
        if open_loop:
            limit += f", which allows this plan {highest_rate_per_s(load, declared):.3g}/s"
        elif not keeps:
            limit += f": {allowance(load, declared)}"
    numbers = load.by_stage()
    return {
        "scenario": load.scenario,
        "pace": pace(load),
        "asks": told(load.mix),
        "at_most": load.at_most,
        "stages": [
            {
                "name": stage.name,
                "phase": stage.phase,
                "seconds": round(stage.duration_s, 3),
                "rate_per_s": stage.rate_per_s,
                "to_rate_per_s": stage.end_rate_per_s,
                "requests": numbers[index],
                "images": load.images_in(index),
            }
            for index, stage in enumerate(load.stages)
        ],
        "requests": load.count,
        "images": load.images,
        "usd": load.usd(target.price_usd_per_image),
        "seconds": round(load.total_s),
        "seconds_at_most": round(load.latest_s),
        "limit": limit,
        "forecast": [f"{row.against}: {row.sentence}" for row in _forecast(load)],
    }


def _forecast(load: LoadPlan) -> Iterator[CrowdFigures]:
    from testcard.load.crowd import forecast

    if load.crowd is not None:
        yield from forecast(load.crowd, load.clients, load.duration_s, load.seed)


def _stage(stage: dict[str, Any]) -> str:
    rate = f"{stage['rate_per_s']:.4g}/s"
    if stage["to_rate_per_s"] != stage["rate_per_s"]:
        rate += f" to {stage['to_rate_per_s']:.4g}/s"
    span = f"{stage['name']:<12} {stage['seconds']:g} s at {rate}"
    return f"{span}: {stage['requests']} requests, {stage['images']} images"


def _usd(images: int, target: Target) -> float | None:
    return None if target.price_usd_per_image is None else round(images * target.price_usd_per_image, 6)


def _line(part: dict[str, Any]) -> str:
    usd = "at an unknown price" if part["usd"] is None else f"${part['usd']:.4f}"
    seconds = part["seconds"]
    span = f"{seconds} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f"{part['requests']} requests, {part['images']} images, {usd}, about {span}"
