"""What a limiter let us see, and the past that every model of a limiter is replayed over.

Requests that were sent together make one wave: when the server decided about each is uncertain by the network's
jitter, so that their order is unknown and only their number counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEAST_JITTER_S = 0.004
_MOST_JITTER_S = 0.15


@dataclass(frozen=True, slots=True)
class Observation:
    """One request and what became of it. Times are seconds on one clock, the same for all."""

    sent_s: float
    answered_s: float
    admitted: bool
    """False: it was refused because of the limit."""
    promised_s: float | None = None
    """What Retry-After said, seconds from the answer; None where it said nothing usable."""
    by_date: bool = False
    """It said so by a date, which counts from another date: both are whole seconds."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Requests that were sent together."""

    observations: tuple[Observation, ...]

    @property
    def sent(self) -> int:
        """How many."""
        return len(self.observations)

    @property
    def admitted(self) -> int:
        """How many of them passed."""
        return sum(one.admitted for one in self.observations)


class Past:
    """Waves in the order of time, as arrays: what a model needs to say how much room a limiter had."""

    def __init__(self, waves: Sequence[Wave]) -> None:
        trip = round_trip_s(waves)
        self.waves = tuple(waves)
        self.jitter_s = min(_MOST_JITTER_S, max(_LEAST_JITTER_S, 0.45 * trip + _spread_s(waves) / 2))
        """How far the moment of a decision may lie from where we put it."""
        self.times: Floats = np.array([_decided_s(wave, trip) for wave in waves], dtype=float)
        self.sent: Ints = np.array([wave.sent for wave in waves], dtype=int)
        self.admitted: Ints = np.array([wave.admitted for wave in waves], dtype=int)
        self.order: Ints = np.arange(len(waves))
        self._passed: Floats = _running(self.admitted[None, :].astype(float))
        self._refused: Floats = _running((self.sent - self.admitted)[None, :].astype(float))
        ends = [
            (number, max(one.answered_s, self.times[number]))
            for number, wave in enumerate(waves)
            for one in wave.observations
            if one.admitted
        ]
        self._end_wave: Ints = np.array([number for number, _ in ends], dtype=int)
        self._ends: Floats = np.array([end for _, end in ends], dtype=float)
        self.service_s = median(end - self.times[number] for number, end in ends) if ends else trip

    def __len__(self) -> int:
        return len(self.waves)

    @property
    def end(self) -> Ints:
        """The index behind the last wave: what a question about the future sees of the past."""
        return np.array([len(self.waves)])

    def since(self, moments: Floats, before: Ints, *, refused: Floats | None = None) -> Floats:
        """Requests that passed at or after given moments, among the first waves.

        Args:
            moments: one row a parameter set, one column a question.
            before: for each column, how many waves have happened.
            refused: for each row the weight with which refused requests count.
        """
        first = np.minimum(np.searchsorted(self.times, moments.ravel()).reshape(moments.shape), before)
        found = _between(self._passed, first, before)
        if refused is not None:
            found = found + refused[:, None] * _between(self._refused, first, before)
        return found

    def under_way(self, moments: Floats, before: Ints) -> Floats:
        """Requests that had passed and were not answered at given moments, among the first waves."""
        if not self._ends.size:
            return np.zeros_like(moments)
        open_ = (self._ends > moments[..., None]) & (self._end_wave < before[:, None])
        return open_.sum(axis=-1).astype(float)

    def with_wave(self, at: float, admitted: Ints, count: int) -> Past:
        """This past and one wave more, in which each parameter set admits a number of its own."""
        other = copy(self)
        other.times = np.append(self.times, at)
        other.sent, other.admitted = np.append(self.sent, count), np.append(self.admitted, 0)
        other.order = np.arange(len(other.times))
        rows = len(admitted)
        passed = np.broadcast_to(self._passed, (rows, self._passed.shape[1]))
        refused = np.broadcast_to(self._refused, (rows, self._refused.shape[1]))
        other._passed = np.column_stack([passed, passed[:, -1] + admitted])
        other._refused = np.column_stack([refused, refused[:, -1] + count - admitted])
        return other

    def rows(self, first: int, last: int) -> Past:
        """The same past for some of the parameter sets."""
        if self._passed.shape[0] == 1:
            return self
        other = copy(self)
        other._passed, other._refused = self._passed[first:last], self._refused[first:last]
        return other

    def passed_in(self, wave: int) -> Floats:
        """How many passed in a wave: one number, or one a parameter set."""
        return self._passed[:, wave + 1] - self._passed[:, wave]

    def refused_in(self, wave: int) -> Floats:
        """How many were refused in a wave, likewise."""
        return self._refused[:, wave + 1] - self._refused[:, wave]


def round_trip_s(waves: Sequence[Wave]) -> float:
    """How long a refusal takes; what the network adds to every request, both ways together."""
    refused = [one.answered_s - one.sent_s for wave in waves for one in wave.observations if not one.admitted]
    if refused:
        return median(refused)
    return min((one.answered_s - one.sent_s for wave in waves for one in wave.observations), default=0.0)


def _spread_s(waves: Sequence[Wave]) -> float:
    """Within how long the requests of a wave left, if it goes badly: a busy machine does not send them at once."""
    spans = sorted(
        max(one.sent_s for one in wave.observations) - min(one.sent_s for one in wave.observations)
        for wave in waves
        if wave.sent > 1
    )
    return spans[int(0.8 * (len(spans) - 1))] if spans else 0.0


def _decided_s(wave: Wave, trip_s: float) -> float:
    """When the server decided: half a trip after the request left, as nothing says better."""
    return median(one.sent_s + min(one.answered_s - one.sent_s, trip_s) / 2 for one in wave.observations)


def _running(counts: Floats) -> Floats:
    return np.concatenate([np.zeros((counts.shape[0], 1)), np.cumsum(counts, axis=1)], axis=1)


def _between(running: Floats, first: Ints, before: Ints) -> Floats:
    if running.shape[0] == 1:
        found: Floats = running[0][before] - running[0][first]
        return found
    rows = np.broadcast_to(before, first.shape)
    return np.take_along_axis(running, rows, axis=1) - np.take_along_axis(running, first, axis=1)
