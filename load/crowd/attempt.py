"""One attempt of one client of a crowd: the record that simulation and reality share."""

from __future__ import annotations

from dataclasses import dataclass

CONTENT = ("valid", "invalid")
"""A 2xx: the client has its picture, good or not, and asks no more."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Seconds on any one clock."""

    client: int
    number: int
    """From 1."""
    due_s: float
    """When the client meant to ask."""
    outcome: str
    """One of LOAD_OUTCOMES in core/outcome.py."""
    answered_s: float | None = None
    """When the answer, or its failure, was complete; None where nothing is known."""

    @property
    def content(self) -> bool:
        return self.outcome in CONTENT
