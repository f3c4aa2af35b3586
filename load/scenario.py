"""Scenarios: which rates, for how long. Each is a small file, in scenarios/ or the user's, for the one engine."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from testcard import schemas
from testcard.core.errors import UsageError
from testcard.load.mix import Kind

_FOLDER = files("testcard.load") / "scenarios"
_NEARLY = 1e-6


@dataclass(frozen=True, slots=True)
class StageShape:
    """A stretch of a scenario, relative to the options."""

    name: str
    phase: str
    """`warmup` or `measured`."""
    of: str
    """The option whose time it takes: `warmup` or `duration`."""
    share: float
    """How much of that time."""
    rate: float = 1.0
    """Multiple of `--rate`, at its begin."""
    to: float | None = None
    """At its end: a linear ramp; None: the same."""
    judged_as: str | None = None
    """The name under which SLOs and claims are judged on it, together with other stages of that name; None: its own,
    empty: not judged."""


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
    mix: tuple[Kind, ...] = ()
    """Empty: one kind, as the options and the target say."""
    loop: str = "open"
    clients: int = 0
    think_s: float = 0.0
    gap_s: tuple[float, float] = (0.0, 0.0)
    policies: tuple[str, ...] = ()
    """Of a crowd: default of --policy."""
    search: bool = False
    """Whether its stages are those of one step of a search for the capacity."""


@cache
def scenarios() -> tuple[str, ...]:
    """The names of the scenarios that ship."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir()))


def scenario(name: str) -> Scenario:
    """The scenario of that name, or of a file that ends in .toml.

    Raises:
        UsageError: there is none, or the file is none.
    """
    if name in scenarios():
        return _scenario(name, (_FOLDER / f"{name}.toml").read_text(encoding="utf-8"), f"scenario {name}")
    if name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise UsageError(f"--scenario {name}: cannot be read: {error}") from error
        return _scenario(Path(name).stem, text, f"--scenario {name}")
    near = difflib.get_close_matches(name, scenarios(), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(f"--scenario {name}: there is none of that name: {', '.join(scenarios())}, or a FILE.toml{hint}")


@cache
def _scenario(name: str, text: str, where: str) -> Scenario:
    try:
        rows = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: not TOML: {error}") from error
    wrong = best_match(_validator().iter_errors(rows))
    if wrong is not None:
        place = ".".join(str(part) for part in wrong.absolute_path)
        raise UsageError(f"{where}: {place + ': ' if place else ''}{wrong.message} (docs/load.md shows a scenario)")
    stages = tuple(StageShape(**row) for row in rows.pop("stage"))
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names):
        raise UsageError(f"{where}: two stages have the same name: {', '.join(names)}")
    measured = sum(stage.share for stage in stages if stage.of == "duration")
    if abs(measured - 1.0) > _NEARLY or any((s.of == "duration") != (s.phase == "measured") for s in stages):
        raise UsageError(
            f"{where}: the shares of the stages of duration make {measured:g}: all of it is to be measured, "
            "and nothing else"
        )
    mix = tuple(Kind(**row) for row in rows.pop("mix", ()))
    for listed in ("gap_s", "policies"):
        if listed in rows:
            rows[listed] = tuple(rows[listed])
    defaults: dict[str, Any] = {"in_flight_cap": 1000, "arrivals": "poisson", "rate_per_s": 10.0, "warmup_s": 5.0}
    return Scenario(**(defaults | rows | {"name": name, "stages": stages, "mix": mix}))


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schemas.json_schema("scenario"))
