"""What a probe is: requests that judge together what no answer shows alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from testcard.conformance.session import Session


@dataclass(frozen=True, slots=True)
class Cost:
    """The most that a probe may take, beyond what the requests of the tests take already."""

    requests: int
    images: int
    seconds: float
    """How long it waits, answers apart."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe; the table of them is in `__init__`."""

    name: str
    requires: str
    """The requirement whose needs are those of the probe: where it cannot be judged, the probe is not run."""
    judges: frozenset[str]
    """The requirements on which it alone has a finding."""
    run: Callable[[Session], None]
    """Sends, waits, and says what it found by `session.find`."""
    cost: Callable[[Session], Cost]
    key: Literal["main", "limited"] = "main"
    """The key whose limit it uses."""
    gives: frozenset[str] = frozenset()
    """Requirements that are judged on any answer, and to which it gives occasion."""
    when: Literal["first", "beside", "last"] = "beside"
    """Alone before everything else, beside the other requests, or when all others are answered."""

    @property
    def waited_for_by(self) -> frozenset[str]:
        """The requirements whose outcome is not known before the probe has ended."""
        return self.judges | self.gives
