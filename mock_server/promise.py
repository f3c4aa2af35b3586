"""What the mock promises: the profile `mock` of schemas/, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from testcard import schemas
from testcard.core.target import Limit


@dataclass(frozen=True, slots=True)
class Promise:
    """The contract that the mock keeps as long as no fault is switched on."""

    model: str
    sizes: tuple[str, ...]
    default_size: str
    max_n: int
    formats: tuple[str, ...]
    default_format: str
    keys: Mapping[str, str]
    """The keys by role. They are printed, documented, and no secret."""
    qualities: tuple[str, ...]
    """A quality is checked, and makes no difference."""
    limits: Mapping[str, Limit]
    """The request limits by role."""


@cache
def promise(model: str | None = None) -> Promise:
    """The promise of the profile, under another model's name if one is given."""
    row = schemas.profile("mock")
    usual = Limit(row["limit"]["requests"], row["limit"]["window_s"], row["limit"].get("burst"))
    tight = Limit(row["limited"]["requests"], row["limited"]["window_s"], row["limited"].get("burst"))
    return Promise(
        model=model or row["model"],
        sizes=tuple(row["sizes"]),
        default_size=row["default_size"],
        max_n=row["max_n"],
        formats=tuple(row["response_formats"]),
        default_format=row["default_response_format"],
        keys=row["public_keys"],
        qualities=tuple(row["request"]["quality"]["enum"]),
        limits={role: tight if role == "limited" else usual for role in row["public_keys"]},
    )
