"""`testcard load` as the master, or a worker, of a cluster: its options, and what they make together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from testcard.cli.console import Console
from testcard.cli.options import stack
from testcard.cli.quantities import Duration
from testcard.core.errors import UsageError

if TYPE_CHECKING:
    from testcard.load import Cluster

_PORT = click.IntRange(1, 65535)

cluster_options = stack(
    click.option("--master", is_flag=True, help="Workers of other hosts send; their records end up here."),
    click.option("--worker", is_flag=True, help="Send for a master, which says what."),
    click.option("--expect-workers", type=click.IntRange(1, 64), metavar="N", help="A master's.  [default: 1]"),
    click.option("--master-bind-host", default="*", show_default=True, metavar="HOST", help="Where a master listens."),
    click.option("--master-bind-port", type=_PORT, default=5557, show_default=True, metavar="PORT", help="Likewise."),
    click.option("--master-host", default="127.0.0.1", show_default=True, metavar="HOST", help="A worker's master."),
    click.option("--master-port", type=_PORT, default=5557, show_default=True, metavar="PORT", help="Likewise."),
    click.option(
        "--max-wait", type=Duration(), default="1m", show_default=True, metavar="SPAN", help="For the others."
    ),
)

_OF_A_MASTER = ("expect_workers", "master_bind_host", "master_bind_port")
_OF_A_WORKER = ("master_host", "master_port")
_WITH_A_WORKER = {"worker", *_OF_A_WORKER, "max_wait", "processes", "confirm_host", "api_key_env"}


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a cluster this is to be."""

    master: bool
    worker: bool
    expect_workers: int | None
    master_bind_host: str
    master_bind_port: int
    master_host: str
    master_port: int
    max_wait: float

    @classmethod
    def of(cls, options: dict[str, object]) -> Part:
        """Takes its own out of all options.

        Raises:
            UsageError: they do not go together.
        """
        part = cls(**{name: options.pop(name) for name in cls.__slots__})  # type: ignore[arg-type]  # click checked them
        given = _given()
        if part.master and part.worker:
            raise UsageError("--master and --worker exclude each other: start one of each")
        if part.worker and (others := sorted(given - _WITH_A_WORKER)):
            raise UsageError(f"{_option(others[0])} is for the master to say: a worker sends what its master plans")
        if (
            not part.master
            and (odd := [name for name in (*_OF_A_MASTER, "max_wait") if name in given])
            and not part.worker
        ):
            raise UsageError(f"{_option(odd[0])} goes with --master")
        if not part.worker and (odd := [name for name in _OF_A_WORKER if name in given]):
            raise UsageError(
                f"{_option(odd[0])} goes with --worker; a master has --master-bind-host and --master-bind-port"
            )
        return part

    def workers(self, processes: int) -> int:
        """How many workers a plan is for."""
        return self.expect_workers or processes

    def cluster(self, console: Console) -> Cluster | None:
        """The cluster of a master; None where the workers run here.

        Raises:
            UsageError: it cannot listen there.
        """
        if not self.master:
            return None
        from testcard.load import Cluster

        cluster = Cluster(self.master_bind_host, self.master_bind_port, self.max_wait)
        cluster.require_free()
        console.line(f"master  listens on {self.master_bind_host}:{self.master_bind_port}")
        return cluster

    def attend(self, console: Console, options: Mapping[str, object]) -> int:
        """Be the workers of this host until the load ends; returns the exit code.

        Raises:
            TestcardError: it did not come to its end.
        """
        import signal

        from testcard.load import Terms, Visit

        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup(1)
            signal.signal(signal.SIGHUP, signal.default_int_handler)
        terms = Terms(
            self.master_host,
            self.master_port,
            None if options["confirm_host"] is None else str(options["confirm_host"]),
            None if options["api_key_env"] is None else str(options["api_key_env"]),
        )
        Visit(terms, int(str(options["processes"])), self.max_wait, console.line).run()
        return 0


def _given() -> set[str]:
    """The options that stand on the command line."""
    context = click.get_current_context()
    return {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}


def _option(name: str) -> str:
    return "--" + {
        "target_name": "target",
        "as_json": "json",
        "slos": "slo",
        "claims": "claim",
        "headers": "header",
    }.get(name, name).replace("_", "-")
