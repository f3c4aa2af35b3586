"""Scenarios: which rates, for how long. Each is a small file in scenarios/, read by the one engine."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from testcard.core.errors import UsageError

_FOLDER = files("testcard.load") / "scenarios"


@dataclass(frozen=True, slots=True)
class StageShape:
    """A stretch of a scenario, relative to the options."""

    phase: str
    """`warmup` or `measured`."""
    of: str
    """The option whose time it takes: `warmup` or `duration`."""
    share: float
    """How much of that time."""
    rate: float
    """Multiple of `--rate`."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The shape of a load, and the defaults of its options."""

    name: str
    statement: str
    rate_per_s: float
    duration_s: float
    warmup_s: float
    arrivals: str
    in_flight_cap: int
    stages: tuple[StageShape, ...]


@cache
def scenarios() -> tuple[str, ...]:
    """The names of the scenarios that ship."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir()))


@cache
def scenario(name: str) -> Scenario:
    """The scenario of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in scenarios():
        near = difflib.get_close_matches(name, scenarios(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"--scenario {name}: there is none of that name: {', '.join(scenarios())}{hint}")
    rows = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    stages = tuple(StageShape(**row) for row in rows.pop("stage"))
    return Scenario(name=name, stages=stages, **rows)
