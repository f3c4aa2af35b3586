"""The command line as a user runs it against a wild server: a target file, keys in the environment, a folder."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "testcard"]
PATIENCE_S = 60.0
"""After so long a command hangs; nothing else depends on it."""


def write_target(directory: Path, fields: Mapping[str, Any], name: str = "target.toml") -> Path:
    """A target file of those fields; JSON's strings, numbers and lists are TOML's, tables come last."""
    plain = [f"{key} = {json.dumps(value)}" for key, value in fields.items() if not isinstance(value, dict)]
    tables = [
        line
        for key, value in fields.items()
        if isinstance(value, dict)
        for line in (f"[target.{key}]", *(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in value.items()))
    ]
    path = directory / name
    path.write_text("\n".join(["[target]", *plain, *tables, ""]), encoding="utf-8")
    return path


def environment(keys: Mapping[str, str]) -> dict[str, str]:
    """This environment with those keys and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TESTCARD_", "OPENAI_"))}
    return kept | {"COLUMNS": "300", "PYTHONWARNINGS": "default"} | dict(keys)


def run(directory: Path, *arguments: str, keys: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in that folder."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=directory, env=environment(keys), capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


@contextlib.contextmanager
def started(directory: Path, *arguments: str, keys: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A command while it runs; it is killed if it has not ended by itself."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=directory, env=environment(keys), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_until(holds: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def summary(directory: Path) -> dict[str, Any]:
    """summary.json of a run directory."""
    loaded: dict[str, Any] = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
    return loaded
