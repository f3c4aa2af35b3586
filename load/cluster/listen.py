"""The master's side of a cluster, as run.py sees it: where it listens, and for how long it waits."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testcard.core.errors import UsageError
from testcard.load.cluster.message import PORT
from testcard.load.journal import Tail

DIARY = "master.jsonl"
"""What master.py tells run.py, in the private directory: who was refused."""
EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the master listens for its workers, and for how long it waits until all have come."""

    bind_host: str = EVERYWHERE
    bind_port: int = PORT
    max_wait_s: float = 60.0

    def require_free(self) -> None:
        """See that one can listen there.

        Raises:
            UsageError: one cannot.
        """
        try:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("" if self.bind_host == EVERYWHERE else self.bind_host, self.bind_port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"the master cannot listen on {self.bind_host}:{self.bind_port}: {reason}; "
                "choose another --master-bind-host or --master-bind-port"
            ) from error

    def command(self, *, keyed: bool) -> list[str]:
        """What starts master.py."""
        where = [self.bind_host, str(self.bind_port)]
        return [sys.executable, "-m", "testcard.load.cluster.master", *where, "1" if keyed else "0"]

    def short_of(self, came: int, expected: int, directory: Path) -> str:
        """That not all workers came, in a sentence."""
        refused = [json.loads(line)["refused"] for line in Tail(directory / DIARY).lines()]
        said = f"; refused: {' and '.join(dict.fromkeys(refused))}" if refused else ""
        return (
            f"{came} of {expected} workers came within {self.max_wait_s:g} s, so nothing was sent{said}; start "
            f"`testcard load --worker --master-host HOST` with this host's name, or lower --expect-workers"
        )


def note(hosts: Sequence[tuple[int, str]], uncertainty_s: float) -> str:
    """What to know of a cluster's figures."""
    by_host: dict[str, list[str]] = {}
    for worker, host in hosts:
        by_host.setdefault(host, []).append(str(worker))
    where = ", ".join(f"{', '.join(workers)} on {host}" for host, workers in by_host.items())
    return (
        f"Workers {where}: each span is of its own host's clock; the start of the plan was aligned between clocks to "
        f"within {uncertainty_s * 1000:.2g} ms."
    )
