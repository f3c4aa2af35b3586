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
    for target in found:
        click.echo(f"{target.name}")
        click.echo(f"  {target.base_url} · {target.model} · dialect {target.dialect}")
        limit = f"{target.limit.requests} requests in {target.limit.window_s:g} s" if target.limit else "not declared"
        click.echo(f"  sizes {', '.join(target.sizes) or 'not declared'} · n ≤ {target.max_n} · limit {limit}")
        for role, variable in target.keys.items():
            if role not in target.public_keys:
                click.echo(f"  {role:<12}  {variable}")
