"""A kind of limiter as a model: its parameters, and how much room it had at a moment of the past.

Models follow the outcomes that were seen, not those that they would have predicted: what a wave really admitted is
what the next question counts. So one wrong answer costs a parameter set one answer, and not all that follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testcard.load.ratelimit.observation import Floats, Ints, Past

Flags = NDArray[np.bool_]
Room = Callable[[Floats, Past, Floats, Ints], Floats]
"""(parameter sets, past, moments, waves that happened before each) → requests that would pass at once."""


_NEAR = 0.3


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a kind, and what is plausible before anything was seen."""

    name: str
    scale: Literal["integer", "log", "phase", "choice"]
    """`phase`: a share of the period, from 0 to 1. `choice`: a number of alternatives."""
    low: float = 0.0
    high: float = 1.0
    declared: float | None = None
    """The value that was declared: where to look first, in a share of the draws."""

    def draw(self, dice: np.random.Generator, count: int) -> Floats:
        """Values drawn without looking at any answer."""
        if self.scale == "choice":
            return np.floor(dice.uniform(0, self.high, count))
        if self.scale == "phase":
            return dice.uniform(0, 1, count)
        whole = self.scale == "integer"
        drawn = np.exp(dice.uniform(np.log(self.low), np.log(self.high + whole), count))
        if whole:
            drawn = np.floor(drawn)
        if self.declared is not None:
            near = dice.uniform(size=count) < _NEAR
            drawn[near] = self.declared * np.exp(dice.normal(0, 0.01, near.sum()))
        return np.clip(np.round(drawn) if whole else drawn, self.low, self.high)

    def move(self, dice: np.random.Generator, values: Floats) -> Floats:
        """Values near the given ones; as likely from here to there as back."""
        count = len(values)
        if self.scale == "choice":
            return np.floor(dice.uniform(0, self.high, count))
        size = dice.choice((0.003, 0.03, 0.3), count)
        if self.scale == "phase":
            return (values + dice.normal(0, 1, count) * size) % 1.0
        if self.scale == "log":
            return values * np.exp(dice.normal(0, 1, count) * size)
        step = np.maximum(1, np.round(np.abs(dice.normal(0, 1, count)) * size * 0.3 * values))
        return values + dice.choice((-1, 1), count) * step


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of limiter."""

    name: str
    describe: str
    parameters: tuple[Parameter, ...]
    room: Room
    handicap: float = 0.0
    """What it must explain better than a simpler kind to be preferred, as a difference of log likelihoods."""
    sound: Callable[[Floats], Flags] | None = None
    """Which parameter sets make sense together; the others are a simpler kind in disguise."""

    def index(self, name: str) -> int | None:
        """The column of a parameter."""
        return next((number for number, one in enumerate(self.parameters) if one.name == name), None)

    def draw(self, dice: np.random.Generator, count: int) -> Floats:
        """Parameter sets before anything was seen, one a row."""
        rows = np.empty((0, len(self.parameters)))
        while len(rows) < count:
            fresh = np.column_stack([one.draw(dice, 2 * count) for one in self.parameters])
            rows = np.concatenate([rows, fresh[self.allowed(fresh)]])
        return rows[:count]

    def allowed(self, sets: Floats) -> Flags:
        """Which parameter sets lie within their bounds."""
        low = np.array([one.low for one in self.parameters])
        high = np.array([one.high for one in self.parameters])
        within: Flags = np.all((sets >= low) & (sets <= high), axis=1)
        return within if self.sound is None else within & self.sound(sets)
