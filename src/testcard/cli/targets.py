"""`testcard targets`: the target profiles that ship."""

from __future__ import annotations

import json

import click

from testcard import schemas
from testcard.core.targetfile import profile_target


@click.command(short_help="List the target profiles that ship.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def targets(*, as_json: bool) -> None:
    """List the target profiles that ship, for --target NAME and for `extends` in a file."""
    found = [profile_target(name) for name in schemas.profiles()]
    if as_json:
        click.echo(json.dumps([target.describe() for target in found], indent=2))
        return
    width = max(len(target.name) for target in found)
    for target in found:
        click.echo(f"{target.name:<{width}}  {target.about}")
    click.echo()
    click.echo("Keys come from the environment: " + ", ".join(found[0].keys.values()))
