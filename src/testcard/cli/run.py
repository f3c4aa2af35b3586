"""`testcard run`: the main job. Check, then load, then report."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from testcard.cli.console import Console
from testcard.cli.options import aim, check_options, load_options, output_options, target_options
from testcard.core.errors import TestcardError, UsageError
from testcard.core.target import Target
from testcard.core.targetfile import profile_target

_MOCK_WINDOW_S = 8.0
"""Window of the limits of the mock that `run` starts: long enough to be a limit, short enough to wait for."""
_MOCK_LATENCY = ("--latency-median", "180ms", "--latency-p99", "400ms")


@click.command(
    epilog="""\b
Examples:
  testcard run
  testcard run --target aigateway
  testcard run --target aigateway --confirm-host api.aigateway.sh --budget-usd 1
"""
)
@target_options
@check_options
@load_options
@output_options
def run(
    *, only: tuple[str, ...], thorough: bool, claims: tuple[str, ...], slos: tuple[str, ...], above_limit: bool,
    out: Path | None, strict: bool, require_all: bool, as_json: bool, **options: object,
) -> int:  # fmt: skip
    """Check, load and report. With no target named, on the bundled mock, which it starts and stops."""
    from testcard.cli.loading import permitted, plan_of, slos_of
    from testcard.cli.perform import Job, perform
    from testcard.conformance import CheckOptions

    aimed = aim(**options)  # type: ignore[arg-type]  # click hands over the options that target_options names
    console = Console(as_json=as_json)
    with contextlib.ExitStack() as stack:
        if aimed.target is None:
            aimed = replace(aimed, target=stack.enter_context(_bundled_mock(aimed.seed)))
        target = aimed.keyed()
        on = slos_of(target, slos, str(options["scenario"]))
        plan = plan_of(target, slos=on, above_limit=above_limit, **options)  # type: ignore[arg-type]  # of load_options
        refused = permitted(aimed, plan, above_limit=above_limit)
        job = Job(
            command="run",
            target=target,
            seed=aimed.seed,
            budget_images=aimed.budget_images,
            budget_usd=aimed.budget_usd,
            check=CheckOptions(
                seed=aimed.seed, thorough=thorough, strict=strict, burst_allowed=aimed.confirmed, only=only
            ),
            plan=None if refused else plan,
            claims=() if refused else claims,
            slos=() if refused else on,
            strict=strict,
            require_all=require_all,
            load_left_out=refused,
            out=out,
        )
        if refused is not None and (claims or slos):
            raise UsageError(refused)
        return perform(job, console, as_json=as_json)


@contextlib.contextmanager
def _bundled_mock(seed: int) -> Iterator[Target]:
    """The mock in a process of its own, on a free port of loopback."""
    command = [
        sys.executable, "-m", "testcard", "mock", "--port", "0", "--seed", str(seed),
        "--window", f"{_MOCK_WINDOW_S}s", *_MOCK_LATENCY,
    ]  # fmt: skip
    environ = {name: value for name, value in os.environ.items() if "KEY" not in name and "TOKEN" not in name}
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and our own options)
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ, start_new_session=True
    )
    try:
        first = process.stdout.readline() if process.stdout else ""
        base_url = next((word for word in first.split() if word.startswith("http://")), None)
        if base_url is None:
            raise TestcardError("the bundled mock did not start; `testcard mock` says why")
        yield _aimed_at(base_url)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _aimed_at(base_url: str) -> Target:
    profile = profile_target("mock")
    windows = {
        name: replace(limit, window_s=_MOCK_WINDOW_S, burst=None)
        for name, limit in (("limit", profile.limit), ("limited", profile.limited))
        if limit is not None
    }
    return replace(profile, base_url=base_url, **windows)  # type: ignore[arg-type]  # both are limits
