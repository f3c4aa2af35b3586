"""What a load shows of the server's inside, and of ourselves: parallelism, saturation, Little's law."""

from __future__ import annotations

from dataclasses import dataclass

from testcard.core.record import Jsonable


@dataclass(frozen=True, slots=True)
class Ladder(Jsonable):
    """How long answers took that were sent with so many in flight."""

    in_flight: int
    """Itself included."""
    answers: int
    median_s: float
    """From sending to the last byte."""


@dataclass(frozen=True, slots=True)
class Parallelism(Jsonable):
    """How many requests the server seems to work on at once."""

    places: int
    service_s: float
    """Mean time of one answer that did not have to wait."""
    most_in_flight: int
    sentence: str
    ladder: tuple[Ladder, ...] = ()


@dataclass(frozen=True, slots=True)
class Saturation(Jsonable):
    """The lowest offered rate at which work came in faster than it went out, for as long as it was offered."""

    offered_per_s: float
    completed_per_s: float
    in_flight_from: int
    """When that began."""
    in_flight_to: int
    """When it ended."""
    where: str
    """The stage, or the part of a ramp."""
    sentence: str


@dataclass(frozen=True, slots=True)
class LittleCheck(Jsonable):
    """Little's law as a check on ourselves: the mean number in flight is rate times mean time, whatever happens."""

    counted: float
    """In flight on average, as the workers' clocks saw it."""
    reckoned: float
    """The same from the records: the sum of all times in flight over the length of the load."""
    agrees: bool


@dataclass(frozen=True, slots=True)
class Behaviour(Jsonable):
    """What the load showed."""

    parallelism: Parallelism | None = None
    """None: nothing shows that requests wait for each other."""
    saturation: Saturation | None = None
    """None: the server kept up."""
    little: LittleCheck | None = None
