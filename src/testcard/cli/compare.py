"""`testcard compare`: what changed between two runs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    short_help="What changed between two runs; 1 on a regression.",
    epilog="""\b
Examples:
  testcard compare runs/monday runs/tuesday
""",
)
@click.argument("base", type=click.Path(path_type=Path), metavar="BASE")
@click.argument("new", type=click.Path(path_type=Path), metavar="NEW")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def compare(base: Path, new: Path, *, as_json: bool) -> int:
    """Say what changed from the run directory BASE to the run directory NEW; exit code 1 on a regression."""
    import json

    from testcard import reports
    from testcard.cli.conclusion import conclude

    found = reports.compare(conclude(base), conclude(new), base, new)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else reports.comparison_text(found))
    return 1 if found.regressed else 0
