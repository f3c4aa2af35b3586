"""Which requests to send next: those about which the kinds, and the parameter sets of each, disagree most.

The worth of a wave is the mutual information (bits) of its outcome and what is asked: the kind, and its limit and
window as finely as they will be stated; divided by what it costs in requests and time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testcard.load.ratelimit.kind import Kind
from testcard.load.ratelimit.observation import Floats, Ints, Past
from testcard.load.ratelimit.population import JITTER, Population

_SAMPLE = 80
"""Parameter sets of a kind that are asked."""
_MOMENTS = 48
_AHEAD = 10
_FINE = 0.05
"""How finely windows and gaps are told apart, as a ratio."""
_KIND_WEIGHT = 3.0
"""How much more a bit about the kind is worth than one about its parameters."""
_TEMPER = 0.7
_LITTLE = 0.15
"""Bits about the kind below which a single wave is not worth looking at alone."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Requests to send together."""

    at_s: float
    count: int
    bits: float = 0.0
    """What it is expected to tell."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a probe costs, in requests."""

    wave: float
    """For each wave, whatever its size."""
    second: float
    """For each second of waiting."""


@dataclass(frozen=True, slots=True)
class _Group:
    kind: Kind
    sets: Floats
    weight: Floats


class Council:
    """Parameter sets of every kind that is still in question, and what each says about the future."""

    def __init__(
        self, populations: Sequence[Population], shares: Floats, past: Past, dice: np.random.Generator
    ) -> None:
        tempered = shares**_TEMPER
        tempered /= tempered.sum()
        self._groups: list[_Group] = []
        kinds: list[Ints] = []
        fine: list[tuple[float, ...]] = []
        limits: list[Floats] = []
        for number, (population, share) in enumerate(zip(populations, tempered, strict=True)):
            if share < 2e-3:
                continue
            count = min(_SAMPLE, len(population.sets))
            sets = population.sets[dice.choice(len(population.sets), count, replace=False)]
            self._groups.append(_Group(population.kind, sets, np.full(count, share / count)))
            kinds.append(np.full(count, len(self._groups) - 1))
            column = population.kind.index("limit")
            limits.append(sets[:, column] if column is not None else np.full(count, np.inf))
            fine += [(number, *row) for row in _coarse(population.kind, sets).tolist()]
        self._past, self._dice = past, dice
        self._weight = np.concatenate([group.weight for group in self._groups])
        self._weight /= self._weight.sum()
        self._kind = np.concatenate(kinds)
        self._fine = np.unique(np.array([hash(row) for row in fine]), return_inverse=True)[1]
        self._limit = np.unique(np.concatenate(limits), return_inverse=True)[1]

    def rooms(self, past: Past, at: Floats, offset: float) -> Floats:
        """What each parameter set would admit at each moment."""
        before = np.broadcast_to(past.end, at.shape)
        moments = (at + offset * self._past.jitter_s)[None, :]
        parts, start = [], 0
        for group in self._groups:
            part = past.rows(start, start + len(group.sets))
            parts.append(
                np.broadcast_to(group.kind.room(group.sets, part, moments, before), (len(group.sets), len(at)))
            )
            start += len(group.sets)
        return np.concatenate(parts)

    def refusing(self, at_s: float, count: int) -> float:
        """How probable it is that not all of so many requests pass at a moment."""
        room = self.rooms(self._past, np.array([at_s]), 0.0)[:, 0]
        return float(self._weight[room < count].sum())

    def choose(self, now: float, horizon_s: float, most: int, costs: Costs) -> Probe:
        """The wave that tells most for its cost, of at most so many requests, within so many seconds."""
        at = _moments(now, horizon_s, _MOMENTS, self._dice)
        rooms = [self.rooms(self._past, at, offset) for offset, _ in JITTER]
        shares = [share for _, share in JITTER]
        best, best_rate, kind_bits = Probe(float(at[0]), 1), -1.0, 0.0
        for count in self._counts(rooms[1], most):
            outcomes = [np.clip(room, 0, count).astype(int) for room in rooms]
            of_kind = self._information(outcomes, shares, count + 1, self._kind)
            bits = _KIND_WEIGHT * of_kind + self._information(outcomes, shares, count + 1, self._fine)
            rate = bits / (costs.wave + count + costs.second * (at - now))
            found = int(np.argmax(rate))
            kind_bits = max(kind_bits, float(of_kind.max()))
            if rate[found] > best_rate:
                best_rate = float(rate[found])
                best = Probe(float(at[found]), count, float(bits[found]))
        if kind_bits < _LITTLE:
            return self._look_ahead(now, horizon_s, most, costs, best, best_rate)
        return best

    def confirm(self, now: float, horizon_s: float, count: int) -> Probe:
        """The moment at which so many requests tell most of the limit, at whatever cost."""
        at = _moments(now, horizon_s, _MOMENTS, self._dice)
        outcomes = [np.clip(self.rooms(self._past, at, offset), 0, count).astype(int) for offset, _ in JITTER]
        bits = self._information(outcomes, [share for _, share in JITTER], count + 1, self._limit)
        found = int(np.argmax(bits))
        return Probe(float(at[found]), count, float(bits[found]))

    def _look_ahead(
        self, now: float, horizon_s: float, most: int, costs: Costs, best: Probe, best_rate: float
    ) -> Probe:
        """Waves that tell little themselves, and change what the next one tells."""
        for first in _moments(now, horizon_s / 2, _AHEAD, self._dice):
            room = self.rooms(self._past, np.array([first]), 0.0)[:, 0]
            counts = self._counts(room[:, None], most)
            for count in {counts[0], counts[-1]}:
                admitted = np.clip(room, 0, count).astype(int)
                past = self._past.with_wave(float(first), admitted, count)
                then = _moments(float(first), horizon_s / 2, _MOMENTS // 2, self._dice)
                later = self.rooms(past, then, 0.0)
                for second in sorted({1, count, min(5, count)}):
                    if count + second > most:
                        continue
                    outcomes = admitted[:, None] * (second + 1) + np.clip(later, 0, second).astype(int)
                    size = (count + 1) * (second + 1)
                    bits = _KIND_WEIGHT * self._information([outcomes], [1.0], size, self._kind)
                    rate = bits / (2 * costs.wave + count + second + costs.second * (then - now))
                    found = int(np.argmax(rate))
                    if rate[found] > best_rate:
                        best_rate = float(rate[found])
                        best = Probe(float(first), int(count), float(bits[found]))
        return best

    def _counts(self, room: Floats, most: int) -> list[int]:
        """Sizes of waves worth a thought: one request, some, and enough to find the end of the room."""
        finite = np.where(np.isfinite(room), room, 0.0)
        order = np.sort(finite.max(axis=1))
        full = [int(order[int(share * (len(order) - 1))]) + 1 for share in (0.3, 0.6, 0.95)]
        return sorted({min(most, max(1, count)) for count in (1, 2, 4, *full)})

    def _information(self, outcomes: list[Ints], shares: list[float], size: int, of: Ints) -> Floats:
        """Mutual information, bits, of the outcome at each moment and the classes `of` the parameter sets."""
        columns = outcomes[0].shape[1]
        classes = int(of.max()) + 1
        table = np.zeros(classes * columns * size)
        base = (of[:, None] * columns + np.arange(columns)) * size
        for outcome, share in zip(outcomes, shares, strict=True):
            weight = np.broadcast_to(share * self._weight[:, None], outcome.shape)
            table += np.bincount((base + outcome).ravel(), weight.ravel(), minlength=len(table))
        joint = table.reshape(classes, columns, size)
        total = _plogp(joint.sum(axis=0)).sum(axis=-1)
        within = _plogp(joint).sum(axis=(0, 2))
        alone = _plogp(joint.sum(axis=2)).sum(axis=0)
        found: Floats = total - within + alone
        return np.maximum(found, 0.0)


def _plogp(probability: Floats) -> Floats:
    safe = np.where(probability > 0, probability, 1.0)
    found: Floats = -safe * np.log2(safe)
    return found


def _coarse(kind: Kind, sets: Floats) -> Floats:
    """Parameter sets, as finely as a verdict states them."""
    columns = []
    for number, parameter in enumerate(kind.parameters):
        values = sets[:, number]
        if parameter.name in ("limit", "short-limit"):
            columns.append(values)
        elif parameter.name in ("window", "gap", "period", "ban"):
            columns.append(np.round(np.log(values) / _FINE))
        elif parameter.name == "refused":
            columns.append(values)
    return np.stack(columns, axis=1) if columns else np.zeros((len(sets), 1))


def _moments(now: float, horizon_s: float, count: int, dice: np.random.Generator) -> Floats:
    """Moments from now to a horizon: dense at first, and nowhere twice the same."""
    shares = (np.arange(count) + dice.uniform(size=count)) / count
    near = now + 0.05 * (horizon_s / 0.05) ** shares[::2]
    far = now + horizon_s * shares[1::2]
    return np.sort(np.concatenate([[now], near, far]))
