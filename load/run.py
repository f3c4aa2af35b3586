"""Runs a load to its end: every arrival becomes a record, every image that was billed is settled."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from testcard.conformance import Across
from testcard.core.budget import Budget
from testcard.core.errors import TestcardError
from testcard.core.redact import Redactor
from testcard.core.runfile import RunWriter
from testcard.core.target import Keyring, Target, header_values
from testcard.load.brief import Brief
from testcard.load.cluster.listen import Cluster
from testcard.load.collect import Collector, Progress
from testcard.load.ending import Ending
from testcard.load.generator import Generator
from testcard.load.limitlab.laboratory import Laboratory
from testcard.load.limitlab.plan import LimitPlan
from testcard.load.overload import Overload
from testcard.load.plan import LoadPlan
from testcard.load.supervisor import Supervisor


def run(
    plan: LoadPlan,
    target: Target,
    keyring: Keyring,
    *,
    directory: Path,
    writer: RunWriter,
    redactor: Redactor,
    budget: Budget,
    started: float,
    first_number: int = 1,
    sent: Sequence[float] = (),
    on_progress: Callable[[Progress], None] | None = None,
    cluster: Cluster | None = None,
) -> Generator:
    """Run a load to its end; each arrival becomes a record of `writer`.

    Args:
        directory: the run directory; takes generator.json, and the generator's log where it failed.
        budget: the plan's images are reserved in it, and settled by what was answered.
        started: the run's zero on `time.monotonic()`.
        first_number: the record number of the first arrival.
        sent: ascending `time.monotonic()` times of earlier requests with the same key; the load starts when
            it and they keep the declared limit together.
        on_progress: told of every change, at most 20 times a second.
        cluster: its workers come from other hosts; None: they run on this machine.

    Raises:
        UsageError: a header's environment variable is not set; nothing was sent.
        BudgetExhausted: the plan could bill more than is left; nothing was sent.
        TestcardError: the workers did not start.
        KeyboardInterrupt: stopped by the user; what was recorded is kept.
    """
    if plan.limit is not None:
        return _investigate(
            plan, plan.limit, target, keyring, directory, writer, redactor, budget, started, first_number, on_progress
        )
    header_values(target)  # what a worker would stumble over is said here
    budget.reserve(plan.images)
    private = _private()
    brief = Brief(plan, target, private, started, first_number)
    overload = Overload(target.timeout_s)

    across = Across()

    def pass_on(endings: Sequence[Ending], records: Sequence[bytes]) -> None:
        writer.pass_on(records)
        for ending in endings:
            overload.add(ending)
            # Every arrival has a prompt of its own, so that none shares a picture with another.
            for finding in across.compare(ending.number, ending.pictures, ending.given_id):
                writer.add(finding)

    collector = Collector(brief, add=writer.add, pass_on=pass_on)
    load = Supervisor(brief, collector, overload, sent, on_progress, cluster)
    try:
        load.run(keyring)
    except BaseException:
        with contextlib.suppress(TestcardError):  # on a full disk, say, the first sentence is the one to hear
            load.leave(budget, redactor, directory)
        raise
    return load.leave(budget, redactor, directory)


def _private() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="testcard-load-"))
    except OSError as error:
        raise TestcardError(f"no folder for temporary files can be made: {error.strerror}; set TMPDIR") from error


def _investigate(
    plan: LoadPlan,
    limit: LimitPlan,
    target: Target,
    keyring: Keyring,
    directory: Path,
    writer: RunWriter,
    redactor: Redactor,
    budget: Budget,
    started: float,
    first_number: int,
    on_progress: Callable[[Progress], None] | None,
) -> Generator:
    """Look for the limit of a key: a few requests, each when it tells most, from this process."""
    report = Generator(cores=len(os.sched_getaffinity(0)))
    try:
        Laboratory(
            plan,
            limit,
            target,
            keyring,
            writer=writer,
            redactor=redactor,
            budget=budget,
            started=started,
            first_number=first_number,
            on_progress=on_progress,
        ).run()
    finally:
        report.write(directory)
    return report
