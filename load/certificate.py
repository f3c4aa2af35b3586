"""Compares what a load measured with what the bundled mock remembers, arrival by arrival.

Only of the bundled mock on this machine: it is asked for the very requests that were sent, and a server that does not
know nearly all of them by their ids is none, or not the one that was loaded.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from testcard.core.certificate import Certificate
from testcard.core.document import read_document, write_document
from testcard.core.quantile import quantiles
from testcard.core.record import Jsonable, Record
from testcard.core.target import Target
from testcard.load.tally import GOOD, rounded

NAME = "truth.json"
_PATH = "/mock/truth/answers"
_MOCK = "mock"
_WAIT_S = 10.0
_MOST_BYTES = 64 * 1024 * 1024
_KNOWN_SHARE = 0.95
_FEWEST = 20
_SHARE, _SLACK_S = 0.01, 0.001
_COMPARED = ("p50", "p90", "p95", "p99")


@dataclass(frozen=True, slots=True)
class Truth(Jsonable):
    """What the mock told after a load."""

    machine: str
    cores: int
    answers: dict[str, float] = field(default_factory=dict)
    """By request id: seconds from the head of the request to the answer handed to the system."""

    @classmethod
    def ask(cls, target: Target) -> Truth | None:
        """Ask the bundled mock; None where the target is not its profile, not on loopback, or does not know."""
        if target.name != _MOCK or not target.on_loopback:
            return None
        parts = urlsplit(target.base_url)
        if parts.scheme != "http" or parts.hostname is None:
            return None
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_WAIT_S)
        try:
            connection.request("GET", _PATH)
            response = connection.getresponse()
            data = json.loads(response.read(_MOST_BYTES)) if response.status == 200 else {}
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
        answers = data.get("answers") if isinstance(data, dict) else None
        if not isinstance(answers, dict) or not all(isinstance(span, (int, float)) for span in answers.values()):
            return None
        return cls(platform.node() or "unnamed", os.cpu_count() or 1, answers)

    def write(self, directory: Path) -> None:
        """Write truth.json into a run directory.

        Raises:
            TestcardError: it cannot be written.
        """
        write_document(directory / NAME, self.to_json())

    @classmethod
    def read(cls, directory: Path) -> Truth | None:
        """What stands in a run directory, or None where nothing does.

        Raises:
            RunFileError: it is damaged.
        """
        path = directory / NAME
        return read_document(path, cls.from_json) if path.is_file() else None


class Compared:
    """Takes the records of a load."""

    def __init__(self, truth: Mapping[str, float]) -> None:
        self._truth = truth
        self._told: list[float] = []
        self._true: list[float] = []
        self._of = 0

    def add(self, record: Record) -> None:
        if record.phase != "measured" or record.outcome not in GOOD:
            return
        if record.sent_s is None or record.last_byte_s is None:
            return
        self._of += 1
        true = self._truth.get(record.request_id or "")
        if true is not None:
            self._told.append(record.last_byte_s - record.sent_s)
            self._true.append(true)

    def certificate(self, truth: Truth, lag: Mapping[str, float] | None) -> Certificate | None:
        """The certificate, or None where the server does not know what was measured."""
        known = len(self._told)
        if known < max(_FEWEST, _KNOWN_SHARE * self._of):
            return None
        told, true = quantiles(self._told), quantiles(self._true)
        off = {name: told[name] - true[name] for name in told}
        return Certificate(
            machine=truth.machine,
            cores=truth.cores,
            arrivals=known,
            of=self._of,
            told_s=rounded(told),
            true_s=rounded(true),
            off_s=rounded(off),
            dispatch_lag_p99_s=lag.get("p99") if lag else None,
            agrees=all(abs(off[name]) <= _SHARE * true[name] + _SLACK_S for name in _COMPARED),
        )
