"""What a worker is told: the plan, the target and where to write. Keys travel in the environment, never here."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testcard.core.target import Limit, Target
from testcard.load.plan import LoadPlan

VARIABLE = "TESTCARD_LOAD_BRIEF"
"""The environment variable that holds the path of the brief."""
_START = "start"


@dataclass(frozen=True, slots=True)
class Brief:
    """Everything that the processes of one load share."""

    plan: LoadPlan
    target: Target
    directory: Path
    """Private, and gone after the run: journals, answers, the start."""
    started: float
    """The run's zero on the monotonic clock, which all processes of a machine share."""
    first_number: int
    """The record number of arrival 0."""

    def write(self) -> Path:
        """Write it into its directory; returns its path."""
        path = self.directory / "brief.json"
        path.write_text(json.dumps(self.to_json()), encoding="utf-8")
        return path

    def to_json(self) -> dict[str, Any]:
        """All but the directory."""
        return {
            "plan": self.plan.to_json(),
            "target": _target_json(self.target),
            "started": self.started,
            "first_number": self.first_number,
        }

    @classmethod
    def read(cls) -> Brief:
        """The brief that the environment names."""
        path = Path(os.environ[VARIABLE])
        return cls.from_json(json.loads(path.read_text(encoding="utf-8")), path.parent)

    @classmethod
    def from_json(cls, data: dict[str, Any], directory: Path) -> Brief:
        """What to_json() made."""
        return cls(
            plan=LoadPlan.from_json(data["plan"]),
            target=_target(data["target"]),
            directory=directory,
            started=data["started"],
            first_number=data["first_number"],
        )

    def journal(self, worker: int) -> Path:
        """What a worker does: ready, sent, dropped, and its footer."""
        return self.directory / f"worker-{worker}.jsonl"

    def answers(self, worker: int) -> Path:
        """The records of a worker's arrivals, and a footer."""
        return self.directory / f"answers-{worker}.jsonl"

    def wall(self, span_s: float) -> float:
        """The wall-clock time, seconds since the epoch, of a moment on the run's clock."""
        return time.time() - time.monotonic() + self.started + span_s

    def begin(self, at: float) -> None:
        """Tell every worker when the load starts, on the monotonic clock."""
        partial = self.directory / f"{_START}.new"
        partial.write_text(repr(at), encoding="ascii")
        partial.rename(self.directory / _START)  # so that nobody reads half a number

    def beginning(self) -> float | None:
        """When the load starts, or None while that is not known."""
        try:
            return float((self.directory / _START).read_text(encoding="ascii"))
        except FileNotFoundError:
            return None


def _target_json(target: Target) -> dict[str, Any]:
    # Neither SLOs nor known failures concern a worker.
    data = dataclasses.asdict(dataclasses.replace(target, slos=(), known_failures=()))
    if target.ca_file is not None:
        data["ca_file"] = str(Path(target.ca_file).absolute())  # workers run in another directory
    return data


def _target(data: dict[str, Any]) -> Target:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    for name in ("limit", "limited"):
        if values[name] is not None:
            values[name] = Limit(**values[name])
    return Target(**values)
