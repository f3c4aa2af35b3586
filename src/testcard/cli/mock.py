"""`testcard mock`: serves the bundled mock until it is interrupted."""

from __future__ import annotations

import sys

import click

from testcard.cli.quantities import Amount, Duration
from testcard.core.errors import UsageError
from testcard.core.quantity import duration_s

_DEFAULT_PORT = 8600


class _SizeFactor(click.ParamType[tuple[str, float]]):
    """`512x512=0.5`: a size, and how many times as long it takes."""

    name = "size=factor"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        size, _, factor = str(value).partition("=")
        try:
            return size, Amount(0, min_open=True).convert(factor, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r}: write a size and a factor, for example 512x512=0.5", param, ctx)


class _Tier(click.ParamType[tuple[int, float]]):
    """`3/10s`: at most 3 requests in 10 s."""

    name = "requests/span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, float]:
        requests, _, span = str(value).partition("/")
        try:
            return int(requests), duration_s(span)
        except (ValueError, UsageError):
            self.fail(f"{value!r}: write a number of requests and a span, for example 3/10s", param, ctx)


@click.command(
    epilog="""\b
Examples:
  testcard mock
  testcard mock --port 0 --latency-median 50ms --latency-p99 150ms
  testcard mock --limiter token-bucket --rpm 60 --window 60s --bucket 5
  testcard mock --fault n-clamped --fault retry-after-early --rpm 30
"""
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=_DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port; 0: a free one.",
)
@click.option("--fault", "faults", multiple=True, metavar="NAME", help="Break a promise; repeatable.")
@click.option("--dialect", default="page", show_default=True, help="Error documents: page, vendor or openai.")
@click.option("--model", metavar="SLUG", help="Serve this model instead of the profile's.")
@click.option("--rpm", type=int, metavar="N", help="Requests per window for every key.")
@click.option("--window", "window_s", type=Duration(), metavar="SPAN", help="Window of the limits, e.g. 60s.")
@click.option("--burst", type=Amount(1), metavar="X", help="Times the even rate for 10 s; 1: none.")
@click.option("--limiter", default="rolling", show_default=True, metavar="KIND", help="How requests are counted.")
@click.option("--bucket", type=int, metavar="N", help="Tokens that a token-bucket holds.")
@click.option("--tier", type=_Tier(), metavar="N/SPAN", help="The short tier of two-tier, e.g. 3/10s.")
@click.option("--seed", default=1, show_default=True, help="One seed, one behaviour.")
@click.option(
    "--latency-median",
    "latency_median_s",
    type=Duration(),
    default=0.0,
    metavar="SPAN",
    help="Median of the lognormal service time.  [default: none is added]",
)
@click.option(
    "--latency-p99",
    "latency_p99_s",
    type=Duration(),
    metavar="SPAN",
    help="Its 99th percentile.  [default: 3 times the median]",
)
@click.option(
    "--latency-size",
    "latency_factors",
    type=_SizeFactor(),
    multiple=True,
    metavar="SIZE=FACTOR",
    help="A size that takes so many times as long; repeatable.",
)
@click.option("--capacity", type=int, metavar="K", help="Generations at once.  [default: any number]")
@click.option("--queue", type=int, metavar="Q", help="Generations that may wait; more: 503.")
@click.option(
    "--unavailable-rate",
    type=Amount(0, 1),
    default=0.0,
    metavar="SHARE",
    help="Share of generations answered with 503, e.g. 0.05.",
)
@click.option("--server-timing", is_flag=True, help="Say in each answer how long it took (Server-Timing).")
def mock(host: str, port: int, faults: tuple[str, ...], **options: object) -> None:
    """Serve the bundled mock until interrupted.

    It keeps every promise of the contract, and breaks those that --fault names; docs/mock.md and
    `testcard explain NAME` describe them. GET /mock/truth tells its true latency quantiles.
    """
    # Here, and not above: no other command should wait for a web server to be imported.
    from testcard.mock_server.faults import FAULTS
    from testcard.mock_server.promise import promise
    from testcard.mock_server.server import serve
    from testcard.mock_server.settings import MockSettings

    settings = MockSettings(faults=faults, **options)  # type: ignore[arg-type]  # the options are its fields

    def announce(base_url: str) -> None:
        click.echo(f"testcard mock at {base_url}   Ctrl-C stops it")
        for role, key in promise(settings.model).keys.items():
            click.echo(f"  {role:<12}  {key}")
        if faults:
            click.echo(f"  faults        {', '.join(faults)}")
        for fault in map(FAULTS.__getitem__, faults):
            if fault.dialect not in ("page", settings.dialect):
                click.echo(
                    f"  ! {fault.name} is wrong in the dialect {fault.dialect} only: add --dialect {fault.dialect}"
                )
        sys.stdout.flush()

    try:
        serve(settings, host, port, announce)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None
