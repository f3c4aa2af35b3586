"""`testcard history`: runs over time."""

from __future__ import annotations

from pathlib import Path

import click

from testcard.cli.console import Console
from testcard.cli.quantities import Duration, Folder

RUNS = Path("runs")
"""Where runs land that no --out names."""


@click.command(
    short_help="Runs over time: SLOs and their error budgets.",
    epilog="""\b
Examples:
  testcard history
  testcard history runs --since 30d --target staging
  testcard history runs --out public
""",
)
@click.argument("folders", type=click.Path(path_type=Path), nargs=-1, metavar="[DIR]...")
@click.option("--target", metavar="NAME|URL", help="Runs against the target of this name or base URL only.")
@click.option("--since", type=Duration(), metavar="SPAN", help="Runs of the last SPAN only, 90d say.  [default: all]")
@click.option("--window", type=Duration(), metavar="SPAN", help="Of error budgets, back from now.  [default: 30d]")
@click.option(
    "--out",
    type=Folder(),
    metavar="DIR",
    help="Write history.html, .md and .json there.",
)
@click.option("--json", "as_json", is_flag=True, help="The history on standard output, and nothing else there.")
def history(
    folders: tuple[Path, ...],
    *,
    target: str | None,
    since: float | None,
    window: float | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Say how the runs below the folders DIR (`runs`) went over time; exit code 1 where the newest of a kind is worse.

    Only their summary.json is read.
    """
    import json
    from datetime import UTC, datetime

    from testcard.core.errors import RunFileError, UsageError
    from testcard.reports.history import assemble, gather, render, text

    if out is not None and out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file: name a folder")
    named = folders or (RUNS,)
    pasts, left_out = gather(named)
    if not pasts:
        told = f"; {left_out[0].reason}" if left_out else ""
        raise RunFileError(f"no run can be read below {', '.join(map(str, named))}{told}")
    found = assemble(
        pasts, left_out, now=datetime.now(UTC), window_s=30 * 86_400 if window is None else window,
        since_s=since, target=target,
    )  # fmt: skip
    console = Console(as_json=as_json)
    console.line(text(found, colour=console.colour, width=console.width).rstrip("\n"))
    if out is not None:
        console.line(f"page  {render(found, out)[0]}")
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    return 1 if found.regressed else 0
