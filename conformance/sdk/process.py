"""The official SDKs that are installed here, each in a process of its own that is given no key of anybody's.

A process is started when it is first needed, serves every check of this one, and ends with it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_PATIENCE_S = 30.0
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "PYTHONPATH", "NODE_PATH")
"""All that an SDK's process gets of the environment: what finds its files, and no key, proxy or OPENAI_ variable."""

ABSENT = (
    "no official OpenAI SDK is installed here: pip install openai beside testcard for Python's, "
    "or npm install --global openai for Node's"
)

_CLASSES = {
    400: "BadRequestError", 401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError",
    409: "ConflictError", 422: "UnprocessableEntityError", 429: "RateLimitError",
}  # fmt: skip
"""The table of the READMEs of openai-python and openai-node."""


class SdkSilent(Exception):
    """An SDK's process ended or did not answer."""


@dataclass(frozen=True, slots=True)
class Sdk:
    """One SDK, ready to be called."""

    name: str
    version: str
    other: str
    """The class of an error whose status has none of its own."""
    process: _Process

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def exception_of(self, status: int) -> str:
        """The documented class of the exception that an error of this status becomes."""
        return _CLASSES.get(status, "InternalServerError" if status >= 500 else self.other)

    def call(self, calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What each call returned or raised.

        Args:
            calls: `base_url` and `max_retries` of each.

        Raises:
            SdkSilent: the process ended, or took too long.
        """
        answer = self.process.ask(calls)
        if not isinstance(answer, list) or len(answer) != len(calls):
            raise SdkSilent(f"{self} answered something else")
        return answer


class _Process:
    """A child that speaks JSON, a line each way. Thread-safe."""

    def __init__(self, command: Sequence[str]) -> None:
        environ = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        self._child = subprocess.Popen(  # noqa: S603  (this interpreter or node, and a file of ours)
            command, cwd=_HERE, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._lock = threading.Lock()
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="sdk", daemon=True).start()
        atexit.register(self.end)

    def _read(self) -> None:
        assert self._child.stdout is not None  # noqa: S101  (it was asked for)
        with contextlib.suppress(ValueError, OSError):  # closed under our hands, at the end
            for line in self._child.stdout:
                self._lines.put(line)
        self._lines.put(b"")

    def ask(self, question: Any | None) -> Any:
        """Send a line, unless there is nothing to ask, and return the next.

        Raises:
            SdkSilent: there is none.
        """
        with self._lock:
            try:
                if question is not None and self._child.stdin is not None:
                    self._child.stdin.write(json.dumps(question).encode() + b"\n")
                    self._child.stdin.flush()
                return json.loads(self._lines.get(timeout=_PATIENCE_S))
            except (OSError, ValueError, queue.Empty) as error:
                self.end()
                raise SdkSilent("it ended, or did not answer in time") from error

    def end(self) -> None:
        """Let the child go."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        atexit.unregister(self.end)


@cache
def installed() -> tuple[Sdk, ...]:
    """The SDKs that are found here; their processes are running."""
    node = shutil.which("node")
    commands = {("openai-python", "APIStatusError"): [sys.executable, "-P", str(_HERE / "python_client.py")]}
    if node is not None:
        commands["openai-node", "APIError"] = [node, str(_HERE / "node_client.cjs")]
    begun = {names: _Process(command) for names, command in commands.items()}
    return tuple(sdk for (name, other), process in begun.items() if (sdk := _greet(name, other, process)))


def _greet(name: str, other: str, process: _Process) -> Sdk | None:
    try:
        told = process.ask(None)
    except SdkSilent:
        return None
    if "version" not in told:
        process.end()
        return None
    return Sdk(name, told["version"], other, process)
