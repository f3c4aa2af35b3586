"""`testcard report`: renders a run directory again."""

from __future__ import annotations

from pathlib import Path

import click

from testcard.cli.console import Console


@click.command(
    short_help="Render a run directory again.",
    epilog="""\b
Examples:
  testcard report runs/20261122T151200Z-mock
""",
)
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="The summary on standard output, and nothing else there.")
def report(run: Path, *, as_json: bool) -> int:
    """Render the run directory RUN again, from its records: also one that was interrupted or cut off."""
    import json

    from testcard import reports
    from testcard.cli.conclusion import conclude
    from testcard.core.runfile import RunFile

    summary = conclude(run)
    summary.write(run)
    reports.render(run, summary, RunFile(run))
    console = Console(as_json=as_json)
    text = reports.terminal(summary, colour=console.colour, width=console.width, report=str(run / "report.html"))
    console.line(text.rstrip("\n"))
    if as_json:
        click.echo(json.dumps(summary.to_json(), indent=2))
    return 0
