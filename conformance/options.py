"""How a check is to be made, and which requirements it judges."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from testcard import schemas
from testcard.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How a check is to be made."""

    seed: int = 1
    thorough: bool = False
    strict: bool = False
    burst_allowed: bool = True
    """Whether the limited key may be driven over its limit."""
    only: tuple[str, ...] = ()
    """Areas or ids; empty: the whole catalogue."""


def selected(only: Iterable[str]) -> tuple[str, ...]:
    """The requirements that areas and ids select, in the order of the catalogue.

    Raises:
        UsageError: one of them is neither an area nor an id.
    """
    wanted = set(only)
    schemas_ids = schemas.requirements()
    for name in wanted:
        if name not in schemas_ids and name not in schemas.areas():
            raise _unknown(name)
    return tuple(name for name, row in schemas_ids.items() if not wanted or name in wanted or row.area in wanted)


def _unknown(name: str) -> UsageError:
    near = difflib.get_close_matches(name, [*schemas.areas(), *schemas.requirements()], n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; areas: {', '.join(schemas.areas())}"
    return UsageError(f"--only {name}: no such area or requirement{hint}")
