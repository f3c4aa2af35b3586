"""`testcard check`: conformance only."""

from __future__ import annotations

from pathlib import Path

import click

from testcard.cli.console import Console
from testcard.cli.options import aim, check_options, output_options, target_options


@click.command(
    epilog="""\b
Examples:
  testcard check --target aigateway
  testcard check --base-url http://127.0.0.1:4000/v1 --model my-model --only auth --only image.size
  testcard check --target staging.toml --strict --require-all --json > summary.json
"""
)
@target_options
@check_options
@output_options
def check(
    *, only: tuple[str, ...], thorough: bool, out: Path | None, strict: bool, require_all: bool, as_json: bool,
    **target: object,
) -> int:  # fmt: skip
    """Judge every answer against the contract. Spends at most 12 images, and few on the limited key."""
    from testcard.cli.perform import Job, perform
    from testcard.conformance import CheckOptions

    aimed = aim(**target)  # type: ignore[arg-type]  # click hands over the options that target_options names
    options = CheckOptions(seed=aimed.seed, thorough=thorough, strict=strict, burst_allowed=aimed.confirmed, only=only)
    job = Job(
        command="check",
        target=aimed.keyed(),
        seed=aimed.seed,
        budget_images=aimed.budget_images,
        budget_usd=aimed.budget_usd,
        check=options,
        strict=strict,
        require_all=require_all,
        out=out,
    )
    return perform(job, Console(as_json=as_json), as_json=as_json)
