"""The options that several commands share, and what they make together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from testcard import schemas
from testcard.cli.quantities import Amount, Duration, Folder, Text
from testcard.core.errors import UsageError
from testcard.core.target import Keyring, Target
from testcard.core.targetfile import find_target, parse_headers

Command = TypeVar("Command", bound=Callable[..., Any])


def stack(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """One decorator of several options."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


target_options = stack(
    click.option("--target", "target_name", type=Text(), metavar="NAME|FILE", help="A profile that ships, or a file."),
    click.option("--base-url", type=Text(), metavar="URL", help="The API's address with its version path."),
    click.option("--model", type=Text(), metavar="SLUG", help="The model to ask for."),
    click.option("--dialect", type=click.Choice(list(schemas.dialects())), help="The error contract."),
    click.option("--api-key-env", type=Text(), metavar="NAME", help="The environment variable that holds the key."),
    click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Sent with every request."),
    click.option(
        "--confirm-host", type=Text(), metavar="HOST", help="Allow load and bursts on this host off loopback."
    ),
    click.option("--seed", type=int, default=1, show_default=True, help="Seed of prompts, cases and arrivals."),
    click.option("--budget-images", type=click.IntRange(0), metavar="N", help="Bill at most N images."),
    click.option("--budget-usd", type=Amount(0), metavar="X", help="Spend at most X US dollars."),
)

output_options = stack(
    click.option("--out", type=Folder(), metavar="DIR", help="The run directory."),
    click.option("--strict", is_flag=True, help="A SHOULD counts as a MUST."),
    click.option("--require-all", is_flag=True, help="A MUST left unjudged ends with exit code 3."),
    click.option("--json", "as_json", is_flag=True, help="The summary on standard output, and nothing else there."),
)

check_options = stack(
    click.option("--only", multiple=True, metavar="AREA|ID", help="Judge these only; repeatable."),
    click.option("--thorough", is_flag=True, help="Every declared size, n at its maximum."),
)

load_options = stack(
    click.option("--scenario", default="steady", metavar="NAME|FILE", show_default=True, help="The shape of the load."),
    click.option("--rate", type=Amount(0, min_open=True), metavar="PER_SECOND", help="Arrivals.  [default: 10]"),
    click.option("--duration", type=Duration(), metavar="SPAN", help="Measured phase.  [default: 30s]"),
    click.option("--warmup", type=Duration(), metavar="SPAN", help="Before it, not measured.  [default: 5s]"),
    click.option("--arrivals", type=click.Choice(["constant", "poisson"]), help="[default: poisson]"),
    click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="Locust workers."),
    click.option("--size", metavar="WxH", help="Or a mix, A=3,B=1.  [default: the target's]"),
    click.option("--n", metavar="N", help="Pictures per request, or a mix, 1=9,4=1.  [default: 1]"),
    click.option("--response-format", metavar="url|b64_json", help="Or a mix.  [default: the target's]"),
    click.option("--clients", type=click.IntRange(1), metavar="K", help="Of closed and crowd.  [default: 4; 20]"),
    click.option("--think", type=Duration(), metavar="SPAN", help="Of the scenario closed.  [default: 1s]"),
    click.option(
        "--policy", "policies", multiple=True, metavar="NAME", help="Of crowd: how clients retry; repeatable."
    ),
    click.option("--slo", "slos", multiple=True, metavar="'p95<=1s'", help="A bound to certify; repeatable."),
    click.option(
        "--claim", "claims", multiple=True, type=click.Choice(list(schemas.claims())), help="A claim that counts."
    ),
    click.option("--above-limit", is_flag=True, help="Exceed the declared limit of the key on purpose."),
)


@dataclass(frozen=True, slots=True)
class Aim:
    """What the target options name."""

    target: Target | None
    """None: the bundled mock, to be started."""
    overrides: dict[str, Any]
    seed: int
    budget_images: int | None
    budget_usd: float | None
    confirmed_host: str | None

    def required(self) -> Target:
        """The target.

        Raises:
            UsageError: none was named.
        """
        if self.target is None:
            raise UsageError(
                "no target: pass --target NAME, --base-url URL, or write testcard.toml (see `testcard targets`)"
            )
        return self.target

    def keyed(self) -> Target:
        """The target, with the key that it asks for; on loopback it may do without.

        Raises:
            UsageError: none was named, or its key is not set.
        """
        target = self.required()
        keyring = Keyring(target)
        if not target.on_loopback and target.auth == "bearer" and keyring.get("main") is None:
            raise UsageError(f"{target.host} asks for a key: set {keyring.variable('main')}; nothing was sent")
        return target

    @property
    def confirmed(self) -> bool:
        """Whether bursts and load may be sent: on loopback, or on a host named by --confirm-host."""
        target = self.required()
        return target.on_loopback or self.confirmed_host == target.host


def aim(
    *,
    target_name: str | None,
    base_url: str | None,
    model: str | None,
    dialect: str | None,
    api_key_env: str | None,
    headers: tuple[str, ...],
    confirm_host: str | None,
    seed: int,
    budget_images: int | None,
    budget_usd: float | None,
    **_: object,
) -> Aim:
    """What the target options name, as far as they name anything.

    Raises:
        UsageError: an option or a file is wrong.
    """
    overrides: dict[str, Any] = {
        "base_url": base_url,
        "model": model,
        "dialect": dialect,
        "keys": {"main": api_key_env} if api_key_env else None,
        "headers": parse_headers(headers),
    }
    target = find_target(target_name, overrides, Path.cwd(), confirmed_host=confirm_host)
    if target is None and any(value is not None for value in overrides.values()):
        raise UsageError("--model, --dialect, --api-key-env and --header need a target: pass --target or --base-url")
    if target is not None and confirm_host is not None and confirm_host != target.host:
        raise UsageError(f"--confirm-host {confirm_host}: the target's host is {target.host}")
    if target is not None and api_key_env and Keyring(target).get("main") is None:
        raise UsageError(f"--api-key-env {api_key_env}: this environment variable is not set")
    if budget_usd is not None and target is not None and target.price_usd_per_image is None:
        raise UsageError("--budget-usd: the target names no price; declare price_usd_per_image, or use --budget-images")
    return Aim(target, overrides, seed, budget_images, budget_usd, confirm_host)
