"""What a search for the capacity found: the last rate that passed, the first that failed, and what gave way."""

from __future__ import annotations

from dataclasses import dataclass

from testcard.core.record import Jsonable


@dataclass(frozen=True, slots=True)
class CapacityStep(Jsonable):
    """One rate of a search. Seconds throughout; counts are of measured arrivals."""

    name: str
    """The stage of its records."""
    rate_per_s: float
    verdict: str
    """`kept`, `refuted`, `inconclusive`, or `generator`: nothing follows, since the generator was the limit."""
    looks: int
    """Runs at this rate: one, or a second, longer one where that did not decide."""
    samples: int
    """Arrivals that the bound that did worst is about."""
    misses: int
    """Of those, over it or without a good answer."""
    late: int
    """Answered well, but over the bound that did worst."""
    limited: int
    """Answered with a 429."""
    failed: int
    """Any other arrival without a good answer."""
    achieved_rate_per_s: float
    """Sent."""
    slo: str
    """The bound that did worst."""
    estimate_s: float | None = None
    """Its quantile; None: among arrivals without a good answer."""
    note: str = ""
    """Why it is undecided, or the generator's."""


@dataclass(frozen=True, slots=True)
class CapacityFigures(Jsonable):
    """A search for the highest Poisson rate at which SLOs hold."""

    ended: str
    """`found`, `undecided`, `ceiling`, `never`, `steps`, `generator` or `stopped`."""
    sentence: str
    """What it found."""
    slos: tuple[str, ...]
    """What had to hold."""
    confidence: float
    """That no verdict of the whole search is wrong."""
    each_confidence: float
    """Of each single verdict, so that it is so."""
    passed_per_s: float | None = None
    """The highest rate that passed."""
    failed_per_s: float | None = None
    """The lowest rate that failed."""
    estimate_per_s: float | None = None
    """The edge: the rate at which as many are late as are allowed, fitted to all steps; without any confidence."""
    gave_way: str | None = None
    """What gave way there: `latency`, `limit` (429), `errors` or `generator`."""
    steps: tuple[CapacityStep, ...] = ()
    """In their order."""
