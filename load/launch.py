"""Starts and ends the processes of a load: Locust's on this machine, or the master of a cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from testcard.core.redact import Redactor
from testcard.core.target import ROLES, Keyring
from testcard.load.brief import VARIABLE, Brief
from testcard.load.cluster.listen import Cluster

LOG = "load-generator.log"
"""What the generator printed, in the run directory; kept only where it failed."""


def start(brief: Brief, keyring: Keyring, cluster: Cluster | None) -> subprocess.Popen[bytes]:
    """Start them; they end when their standard input does."""
    command = (
        _on_this_machine(brief) if cluster is None else cluster.command(keyed=keyring.get(brief.plan.key) is not None)
    )
    # Locust reads LOCUST_*, ~/.locust.conf and files of the working directory; a measurement reads none of them.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    environment |= {"HOME": str(brief.directory), VARIABLE: str(brief.write())}
    for role in ROLES:
        if (key := keyring.get(role)) is not None:
            environment[keyring.variable(role)] = key
    with (brief.directory / LOG).open("wb") as log:
        return subprocess.Popen(  # noqa: S603 (our own interpreter and file)
            command,
            stdin=subprocess.PIPE,  # the lifeline: workers end when it does
            stdout=log,
            stderr=log,
            cwd=brief.directory,
            env=environment,
            start_new_session=True,  # Ctrl-C is for us; the workers drain
        )


def end(process: subprocess.Popen[bytes], *, patience_s: float) -> None:
    """End the whole group, which may end by itself first; whatever they had to say is on disk."""
    if process.stdin is not None:
        process.stdin.close()
    if patience_s:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    # All may be gone already; macOS says EPERM where only zombies are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _on_this_machine(brief: Brief) -> list[str]:
    plan = brief.plan
    command = [sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py"))]
    command += ["--headless", "--only-summary", "--loglevel", "WARNING"]
    command += ["--users", str(plan.processes), "--spawn-rate", str(plan.processes)]
    if plan.processes > 1:
        port = str(_free_port())
        command += ["--processes", str(plan.processes), "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
        command += ["--master-host", "127.0.0.1", "--master-port", port]
    return command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def keep_log(private: Path, directory: Path, redactor: Redactor) -> None:
    """Keep what they printed, without secrets."""
    log = private / LOG
    with contextlib.suppress(OSError):  # a full disk may be what they failed at
        text = redactor.text(log.read_text(encoding="utf-8", errors="replace"))
        (directory / LOG).write_text(text, encoding="utf-8")
