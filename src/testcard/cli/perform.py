"""One run from its header to its report: check, load, or both."""

from __future__ import annotations

import dataclasses
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from testcard import __version__
from testcard.cli.console import Console
from testcard.core.budget import Budget
from testcard.core.errors import BudgetExhausted, NotJudged, TestcardError, UsageError
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.runfile import NAME, Footer, Header, RunFile, RunWriter
from testcard.core.target import Keyring, Slo, Target, header_secrets, header_values

if TYPE_CHECKING:
    from testcard.conformance import CheckOptions
    from testcard.conformance.session import Session
    from testcard.load import Cluster, LoadPlan, Look, Progress


_STOPS = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM",  # a CI job that is cancelled keeps its records
    signal.SIGHUP: "SIGHUP: its terminal was closed",
}


@dataclass(frozen=True, slots=True)
class Job:
    """What a command is to do."""

    command: str
    target: Target
    seed: int
    budget_images: int | None = None
    budget_usd: float | None = None
    check: CheckOptions | None = None
    plan: LoadPlan | None = None
    cluster: Cluster | None = None
    """Where the load's workers come from; None: they run here."""
    claims: tuple[str, ...] = ()
    slos: tuple[Slo, ...] = ()
    strict: bool = False
    require_all: bool = False
    load_left_out: str | None = None
    """Why `run` does not load."""
    out: Path | None = None


def perform(job: Job, console: Console, *, as_json: bool) -> int:
    """Do it, write the run directory, print the verdict; returns the exit code.

    Raises:
        UsageError: something is wrong with what was asked; nothing was sent.
    """
    run = _Run(job, console)
    for number in _STOPS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup(1)
            signal.signal(number, run.stop)
    ended, reason = "complete", None
    try:
        run.go()
    except KeyboardInterrupt:
        ended, reason = "interrupted", run.stopped
    except BudgetExhausted as error:
        ended, reason = "budget", str(error)
    except NotJudged as error:
        ended, reason = "unanswered", str(error)
    except TestcardError as error:
        ended, reason = "error", str(error)
    if run.stopped is not None:
        ended, reason = "interrupted", run.stopped
    return run.end(ended, reason, as_json=as_json)


class _Run:
    def __init__(self, job: Job, console: Console) -> None:
        self._job = job
        self._console = console
        self._keyring = Keyring(job.target)
        header_values(job.target)  # a variable that is not set is said now, not in the middle
        secrets = (*self._keyring.secrets, *header_secrets(job.target))
        self._redactor = Redactor(secrets)
        self._budget = Budget(job.budget_images, job.budget_usd, job.target.price_usd_per_image)
        self._started = time.monotonic()
        self._wanted = self._selection()
        self.directory = _directory(job)
        self._writer = RunWriter(self.directory, self._header(), self._redactor)
        self._session: Session | None = None
        self.stopped: str | None = None
        """Who wanted an end, where somebody did."""

    def stop(self, number: int, _: object) -> None:
        """The handler of signals. An exception that strikes in a destructor is lost, so the check is ended as well."""
        self.stopped = f"stopped by {_STOPS[signal.Signals(number)]}"
        if self._session is not None:
            self._session.crew.leave()
        raise KeyboardInterrupt

    def _selection(self) -> tuple[str, ...]:
        if self._job.check is None:
            return ()
        from testcard.conformance import selected

        return selected(self._job.check.only)

    def _header(self) -> Header:
        job = self._job
        known = [dataclasses.asdict(row) for row in job.target.known_failures]
        options: dict[str, Any] = {
            "strict": job.strict,
            "require_all": job.require_all,
            "claims": list(job.claims),
            "slos": [dataclasses.asdict(slo) for slo in job.slos],
            "known_failures": known,
        }
        if job.load_left_out:
            options["load_left_out"] = job.load_left_out
        return Header(
            testcard=__version__,
            command=job.command,
            started_at=_now(),
            target=job.target.describe(),
            seed=job.seed,
            requirements=self._wanted,
            load=job.plan.to_json() if job.plan else None,
            options=options,
        )

    def go(self) -> None:
        job, target = self._job, self._job.target
        self._console.head(
            f"testcard {__version__} · {target.name} at {target.base_url} · {target.model or 'no model named'} · "
            f"dialect {target.dialect} · seed {job.seed}"
        )
        if job.check is not None:
            self._check(job.check)
        if job.plan is not None:
            self._load(job.plan)
            self._ask_truth()
        elif job.load_left_out:
            self._console.line(f"load    left out: {job.load_left_out}")

    def _check(self, options: CheckOptions) -> None:
        from testcard.conformance.check import check
        from testcard.conformance.session import Session

        with self._console.phase("check") as phase:

            def show(_: Record) -> None:
                phase.update(session.sender.requests, session.planned, "requests")

            session = self._session = Session(
                self._job.target,
                self._keyring,
                options,
                log=self._writer,
                budget=self._budget,
                started=self._started,
                on_record=show,
                evidence=self.directory / "evidence",
            )
            check(session, self._wanted)
        spent = session.sender.budget.spent
        self._console.line(f"check   {session.sender.requests} requests, {spent} images")

    def _load(self, plan: LoadPlan) -> None:
        from testcard.load import run, search

        _knock(self._job.target)
        first = self._session.sender.requests + 1 if self._session else 1
        with self._console.phase("load") as phase:

            def show(progress: Progress, name: str = "") -> None:
                total = progress.planned
                if progress.awaited:
                    phase.update(0, total, f"waits for {progress.awaited} of {plan.processes} workers")
                elif progress.starts_in_s > 0:
                    phase.update(0, total, f"{name}starts in {progress.starts_in_s:.0f} s")
                else:
                    note = f"{name}valid {progress.valid} · limited {progress.limited} · failed {progress.failed}"
                    phase.update(progress.done, total, note)

            run_once = partial(
                run,
                target=self._job.target,
                keyring=self._keyring,
                directory=self.directory,
                writer=self._writer,
                redactor=self._redactor,
                budget=self._budget,
                started=self._started,
                cluster=self._job.cluster,
            )
            sent = self._session.sender.pacer.sent if self._session else ()
            if plan.search is None:
                run_once(plan, first_number=first, sent=sent, on_progress=show)
                return

            def show_step(look: Look, progress: Progress) -> None:
                show(progress, f"step {look.step}, {look.rate_per_s:g}/s · ")

            search(
                plan,
                plan.search,
                self._job.slos,
                self._job.target,
                run_once,
                directory=self.directory,
                started=self._started,
                first_number=first,
                sent=sent,
                on_progress=show_step,
            )

    def _ask_truth(self) -> None:
        """What the bundled mock knows of the load, where it is the target."""
        from testcard.load import Truth

        truth = Truth.ask(self._job.target)
        if truth is not None:
            truth.write(self.directory)

    def end(self, ended: str, reason: str | None, *, as_json: bool) -> int:
        """Write the end of the story, conclude, render and print."""
        from testcard import reports
        from testcard.cli.conclusion import conclude, failed

        if self._session is not None:
            self._session.close()
        said = self._redactor.text(reason) if reason else None
        footer = Footer(ended, _now(), self._writer.records, said)
        with suppress(TestcardError):  # a full disk: what was recorded is concluded all the same
            self._writer.end(footer)
        summary = conclude(self.directory, footer)
        report: Path | None = None
        try:
            summary.write(self.directory)
            *_, report = reports.render(self.directory, summary, RunFile(self.directory))
        except TestcardError as error:
            summary = failed(summary, str(error))
            with suppress(TestcardError):
                summary.write(self.directory)
        shown = str(report or f"none; once there is room: testcard report {self.directory}")
        text = reports.terminal(summary, colour=self._console.colour, width=self._console.width, report=shown)
        self._console.line(text.rstrip("\n"))
        if as_json:
            import json

            click.echo(json.dumps(summary.to_json(), indent=2))
        return summary.exit_code


def _directory(job: Job) -> Path:
    """The run directory; one that holds a run already is left alone."""
    if job.out is not None:
        directory = job.out
        if (directory / NAME).exists():
            raise UsageError(f"--out {directory} holds a run already: name another folder, or remove it")
        if directory.exists() and not directory.is_dir():
            raise UsageError(f"--out {directory} is a file: name a folder")
        return directory
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in job.target.name)
    directory = Path("runs") / f"{stamp}-{name}"
    number = 1
    while directory.exists():
        number += 1
        directory = Path("runs") / f"{stamp}-{name}-{number}"
    return directory


def _knock(target: Target) -> None:
    """Whether anybody listens at all; a load on a dead port would only wait.

    Raises:
        NotJudged: nobody does.
    """
    parts = urlsplit(target.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((target.host, port), timeout=min(10.0, target.timeout_s)).close()
    except OSError as error:
        raise NotJudged(f"{target.base_url} did not answer: {error.strerror or error}") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
