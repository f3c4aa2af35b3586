"""Parameter sets of one kind that explain what was seen, kept alive by moving them about.

A population starts from the prior, is resampled by likelihood, and moves by Metropolis-Hastings steps (Chopin,
"A sequential particle filter method for static models", Biometrika 89, 2002). Where nothing in it explains the
past any longer it starts again from the prior, with a likelihood that is let in by degrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testcard.load.ratelimit.kind import Kind
from testcard.load.ratelimit.observation import Floats, Past
from testcard.load.ratelimit.window import began

SIZE = 256
_START, _AFRESH = 16384, 4096
"""How many are drawn before anything was seen, and when a kind starts again: few of them survive the first refusal."""
_STRAY = 0.01
"""The probability that an answer has nothing to do with the limiter."""
_OFF_BY_ONE = 0.02
"""That a wave admits one more or one less: its requests do not arrive in one instant."""
JITTER = ((-1.0, 0.2), (0.0, 0.6), (1.0, 0.2))
"""Where within the jitter the decision may have fallen, and how likely."""
_LIKELY = 4.0
_STRADDLING = 0.04
"""The share of the largest wave that may have fallen on the other side of the end of a window, and counts there."""
_STRETCHED = (-2.0, -1.0, 0.0, 1.0, 2.0)
_DEGREES = (0.01, 0.03, 0.08, 0.2, 0.4, 0.7, 1.0)
_MOVES_PER_DEGREE = 4


def likelihood(kind: Kind, sets: Floats, past: Past, first: int = 0) -> Floats:
    """Log likelihood of the answers of each wave from `first` on: one row a parameter set, one column a wave."""
    sent, admitted = past.sent[first:].astype(float), past.admitted[first:].astype(float)
    hit = np.zeros((len(sets), len(sent)))
    near = np.zeros_like(hit)
    rooms = spread(kind, sets, past, first, [offset for offset, _ in JITTER])
    for room, (_, share) in zip(rooms, JITTER, strict=True):
        error = np.abs(np.clip(room, 0.0, sent) - admitted)
        hit += share * (error == 0)
        near += share * (error == 1)
    near = np.where(sent > 1, near * _OFF_BY_ONE, 0.0)
    found: Floats = np.log(
        (1 - _STRAY) * (hit * np.where(sent > 1, 1 - 2 * _OFF_BY_ONE, 1.0) + near) + _STRAY / (sent + 1)
    )
    return found


def spread(kind: Kind, sets: Floats, past: Past, first: int, offsets: Sequence[float]) -> Floats:
    """What each parameter set had room for at each wave from `first` on, decided so many jitters from where we put it.

    Returns:
        One layer an offset, one row a parameter set, one column a wave.
    """
    order = past.order[first:]
    at = np.concatenate([past.times[first:] + offset * past.jitter_s for offset in offsets])
    rooms = kind.room(sets, past, at[None, :], np.tile(order, len(offsets)))
    found: Floats = np.broadcast_to(rooms, (len(sets), at.size)).reshape(len(sets), len(offsets), len(order))
    return found.swapaxes(0, 1)


def _log_mean(logs: Floats) -> float:
    top = logs.max()
    return float(top + np.log(np.mean(np.exp(logs - top))))


@dataclass(slots=True)
class Population:
    """What is left of a kind."""

    kind: Kind
    sets: Floats
    scores: Floats
    """Log likelihood of the whole past, one a parameter set."""
    seen: int = 0
    """Waves that the scores account for."""

    @classmethod
    def prior(cls, kind: Kind, dice: np.random.Generator) -> Population:
        """Before anything was seen."""
        count = _START if kind.parameters else 1
        return cls(kind, kind.draw(dice, count) if kind.parameters else np.zeros((1, 0)), np.zeros(count))

    evidence: float = 0.0
    """Log of the mean likelihood over what was plausible before: a kind pays for what it leaves open."""

    @property
    def score(self) -> float:
        """How well the kind explains the past, less its handicap."""
        return self.evidence - self.kind.handicap

    def update(self, past: Past, dice: np.random.Generator, moves: int) -> None:
        """Take the newest waves in, and move the parameter sets about."""
        gained = likelihood(self.kind, self.sets, past, self.seen).sum(axis=1)
        self.scores = self.scores + gained
        self.seen = len(past)
        if len(self.sets) != SIZE:  # still as they were drawn, each as probable as its score
            self.evidence = _log_mean(self.scores)
            if self.kind.parameters and (past.admitted < past.sent).any():
                self._resample(self.scores, dice)
                self.stir(past, dice, moves)
            return
        self.evidence += _log_mean(gained)
        self._resample(gained, dice)
        self.stir(past, dice, moves)

    def stir(self, past: Past, dice: np.random.Generator, moves: int) -> None:
        """Move the parameter sets about once more: few that survived must not look surer than they are."""
        if not self.kind.parameters:
            return
        best = int(np.argmax(self.scores))
        kept, score = self.sets[best].copy(), float(self.scores[best])
        for _ in range(moves):
            self._move(past, dice, 1.0)
        if self.scores.max() < score:  # whether any set explains the past must not hang on a random walk
            worst = int(np.argmin(self.scores))
            self.sets[worst], self.scores[worst] = kept, score

    def restart(self, past: Past, dice: np.random.Generator) -> None:
        """Look again from the beginning; keep what is better, the old or the new."""
        if not self.kind.parameters:
            return
        fresh = Population(self.kind, self.kind.draw(dice, _AFRESH), np.zeros(_AFRESH), len(past))
        fresh.scores = likelihood(self.kind, fresh.sets, past).sum(axis=1)
        reached = 0.0
        for degree in _DEGREES:
            step = (degree - reached) * fresh.scores
            fresh.evidence += _log_mean(step)
            fresh._resample(step, dice)
            reached = degree
            for _ in range(_MOVES_PER_DEGREE):
                fresh._move(past, dice, degree)
        if fresh.scores.max() > self.scores.max() - 1.0:
            self.evidence = max(self.evidence, fresh.evidence)
        sets, scores = np.concatenate([self.sets, fresh.sets]), np.concatenate([self.scores, fresh.scores])
        self.sets, self.scores = sets, scores
        self._resample(self.scores, dice)

    def best(self) -> Floats:
        """The parameter set that explains most."""
        found: Floats = self.sets[int(np.argmax(self.scores))]
        return found

    def contradictions(self, past: Past) -> int:
        """Waves that even the best of the likely parameter sets cannot explain, decided within twice the jitter.

        A wave that meets the end of a window is decided partly before and partly after it: what lies between is
        explained.
        """
        sets = self.sets[self.scores >= self.scores.max() - _LIKELY]
        sent, admitted = past.sent.astype(float), past.admitted.astype(float)
        rooms = np.clip(spread(self.kind, sets, past, 0, _STRETCHED), 0.0, sent)
        slack = np.minimum(past.sent // 2, np.floor(_STRADDLING * np.maximum.accumulate(past.sent)))
        wrong = (admitted < rooms.min(axis=0) - slack) | (admitted > rooms.max(axis=0) + slack)
        return int(wrong.sum(axis=1).min())

    def _resample(self, scores: Floats, dice: np.random.Generator) -> None:
        weight = np.exp(scores - scores.max())
        steps = (np.arange(SIZE) + dice.uniform()) / SIZE
        chosen = np.minimum(np.searchsorted(np.cumsum(weight / weight.sum()), steps), len(scores) - 1)
        self.sets, self.scores = self.sets[chosen], self.scores[chosen]

    def _move(self, past: Past, dice: np.random.Generator, degree: float) -> None:
        proposed = self._proposed(past, dice)
        allowed = self.kind.allowed(proposed)
        proposed[~allowed] = self.sets[~allowed]
        scores = likelihood(self.kind, proposed, past).sum(axis=1)
        taken = np.log(dice.uniform(size=len(scores))) < degree * (scores - self.scores)
        self.sets = np.where(taken[:, None], proposed, self.sets)
        self.scores = np.where(taken, scores, self.scores)

    def _proposed(self, past: Past, dice: np.random.Generator) -> Floats:
        sets = self.sets.copy()
        many = len(self.kind.parameters)
        chosen = dice.integers(0, many, len(sets))
        also = np.where(dice.uniform(size=len(sets)) < 0.3, dice.integers(0, many, len(sets)), chosen)
        for column, parameter in enumerate(self.kind.parameters):
            rows = np.flatnonzero((chosen == column) | (also == column))
            if not rows.size:
                continue
            sets[rows, column] = parameter.move(dice, sets[rows, column])
            afresh = rows[dice.uniform(size=rows.size) < 0.1]
            sets[afresh, column] = parameter.draw(dice, afresh.size)
        self._hold_phase(sets, past, dice)
        return sets

    def _hold_phase(self, sets: Floats, past: Past, dice: np.random.Generator) -> None:
        """Where a period changed, keep the boundary near some wave: a small change moves the late ones far."""
        phase, period = self.kind.index("phase"), self.kind.index("window") or self.kind.index("period")
        if phase is None or period is None or not len(past):
            return
        steps = self.kind.index("steps")
        old = self.sets[:, period] / (self.sets[:, steps] if steps else 1.0)
        new = sets[:, period] / (sets[:, steps] if steps else 1.0)
        near = past.times[dice.integers(0, len(past), len(sets))][:, None]
        boundary = began(near, old, sets[:, phase])[:, 0]
        held = (boundary / new) % 1.0
        keep = (old != new) & (dice.uniform(size=len(sets)) < 0.8)
        sets[:, phase] = np.where(keep, held, sets[:, phase])
