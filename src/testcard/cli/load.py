"""`testcard load`: one load scenario."""

from __future__ import annotations

from pathlib import Path

import click

from testcard.cli.clustering import Part, cluster_options
from testcard.cli.console import Console
from testcard.cli.options import aim, load_options, output_options, target_options


@click.command(
    short_help="Load at planned times; sign what the latency shows.",
    epilog="""\b
Examples:
  testcard load --target mock --rate 20 --duration 1m --slo 'p95<=1s'
  testcard load --target aigateway --confirm-host api.aigateway.sh --budget-images 400 --claim interactive
  testcard load --master --expect-workers 2 --target mock --rate 200
  testcard load --worker --master-host load-1.example.net
""",
)
@target_options
@load_options
@cluster_options
@output_options
def load(
    *, claims: tuple[str, ...], slos: tuple[str, ...], above_limit: bool, out: Path | None, strict: bool,
    require_all: bool, as_json: bool, **options: object,
) -> int:  # fmt: skip
    """Send requests at planned times, record each, and sign what their latency shows."""
    from testcard.cli.loading import permitted, plan_of, slos_of
    from testcard.cli.perform import Job, perform
    from testcard.core.errors import UsageError

    part, console = Part.of(options), Console(as_json=as_json)
    if part.worker:
        return part.attend(console, options)
    options["processes"] = part.workers(int(str(options["processes"])))
    aimed = aim(**options)  # type: ignore[arg-type]  # click hands over the options that target_options names
    target = aimed.required()
    on = slos_of(target, slos, str(options["scenario"]))
    plan = plan_of(target, slos=on, above_limit=above_limit, **options)  # type: ignore[arg-type]  # of load_options
    if part.master and plan.search is not None:
        raise UsageError(
            "--master: a search for the capacity is many loads, and runs on one machine only; drop --master"
        )
    refused = permitted(aimed, plan, above_limit=above_limit, sends=not part.master)
    if refused is not None:
        raise UsageError(refused)
    job = Job(
        command="load",
        target=target,
        seed=aimed.seed,
        budget_images=aimed.budget_images,
        budget_usd=aimed.budget_usd,
        plan=plan,
        cluster=part.cluster(console),
        claims=claims,
        slos=on,
        strict=strict,
        require_all=require_all,
        out=out,
    )
    return perform(job, console, as_json=as_json)
