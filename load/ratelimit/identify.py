"""Black-box identification of a rate limiter, from the times and statuses of requests that it chooses itself.

No I/O and no clock: `next` says what to send and when, `add` takes what became of it, `verdict` says what fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testcard.core.target import Limit
from testcard.load.ratelimit.catalogue import CONCURRENCY, UNEXPLAINED, UNLIMITED, kinds
from testcard.load.ratelimit.choose import Costs, Council, Probe
from testcard.load.ratelimit.fitted import Fitted, estimate
from testcard.load.ratelimit.observation import Floats, Observation, Past, Wave
from testcard.load.ratelimit.population import Population, likelihood
from testcard.load.ratelimit.promise import HONEST, MISSING, UNJUDGED, Honesty, Promise, honesty, promises

_OPENING = (0.3, 0.4, 0.4, 0.3, 0.3, 0.3)
"""Sizes of the first waves, as shares of the declared limit."""
_GAP = 0.06
_SPREAD = 0.1
"""The pause after the first of them, as a share of the declared window: a log forgets it apart from the others."""
_SURE = 0.985
_SURE_PARAMETER = 0.96
_WRONG = 0.06
"""Below this likelihood of a wave, the wave contradicts the model."""
_HOPELESS = 12.0
"""How much less of the log evidence a kind may have and still be looked at again."""
_REVIEW = 1.5
"""How many times the waves there must be before the rivals of a sure kind are looked at again."""
_FORLORN = 20.0
"""How much less of the log evidence makes it a waste of time to move the parameter sets of a kind about."""
_INSTEAD = 5.0
"""How much less of the log evidence a kind may have than one that is contradicted, and be stated in its place."""
_MAYBE = 0.1
"""A kind this probable beside the first may be what the header speaks of."""
_CHECKS = 3
_LARGE = 0.5
_PART = 0.08
_RISK = 0.3
_NOTHING = 0.05
"""Bits below which no kind and no parameter set that is left expects anything else than the others."""
_RESERVE = 4
"""Requests kept beside those that a limit in doubt needs to be told."""
_LITTLE_LIMIT = 0.3
_HALVED, _DOUBT, _AT_ONCE = 4, 0.02, 0.02
"""From how many requests on a wave is halved; unless a cap is as probable, or answers take such a share of a window."""
_PATIENTLY = 1.8
"""How much further ahead a moment is looked for at which all is forgotten: two windows of a sliding counter."""
_SPANS = ("window", "period", "ban")
"""Parameters that say for how long a limiter remembers."""
_MOVES = 2
_LIKELY, _STIRRED = 0.9, 8
_WAVE_COST = 0.3
"""What each wave costs beside its requests: asking again is cheap, and looks at a new moment."""
_PATIENCE = 0.6
"""What a second costs, as a share of the requests that are left for each second left."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much an identification may cost."""

    requests: int
    seconds: float


class Identification:
    """One limiter under investigation."""

    def __init__(self, declared: Limit, bounds: Bounds, *, seed: int = 1) -> None:
        self._declared = declared
        self._bounds = bounds
        self._dice = np.random.default_rng(seed)
        self._waves: list[Wave] = []
        self._started: float | None = None
        self._populations = [Population.prior(kind, self._dice) for kind in kinds(declared)]
        self._vain = [0] * len(self._populations)
        """How often in a row a kind looked afresh for parameter sets, and found none that explain every wave."""
        self._again = [0] * len(self._populations)
        """How many waves there must be before it looks again."""
        self._passed_checks = 0
        self._checking = False
        self._past = Past(())
        self._whole = True
        self._queue: list[tuple[float, int]] = []
        self._review_at = 0
        """How many waves there must be before the rivals of a sure leader have another chance."""

    @property
    def sent(self) -> int:
        """Requests so far."""
        return sum(wave.sent for wave in self._waves)

    def next(self, now: float) -> Probe | None:
        """What to send next; None when enough is known, or nothing is left to spend."""
        self._started = now if self._started is None else self._started
        left = self._bounds.requests - self.sent
        rest_s = self._started + self._bounds.seconds - now
        if left < 1 or rest_s <= 0:
            return None
        if not any(wave.sent > wave.admitted for wave in self._waves):
            return self._open(now, left)
        shares = self.shares()
        self._checking = self._settled(shares)
        if self._checking and self._passed_checks >= _CHECKS:
            return None
        horizon = min(rest_s, self._horizon_s(shares))
        if self._queue and not self._checking and self._waves[-1].admitted == self._waves[-1].sent:
            pause, count = self._queue.pop(0)
            return Probe(now + pause, min(left, count))
        self._queue.clear()
        now = max(now, self._rested(horizon / 1.3))
        council = Council(self._populations, shares, self._past, self._dice)
        if self._checking:
            return self._check(now, horizon, left, shares)
        if (top := self._doubted_limit(shares)) and left <= top + _RESERVE:
            found = council.confirm(now, min(rest_s, _PATIENTLY * horizon), min(left, top))
            if found.bits > _LITTLE_LIMIT:
                return found
        costs = Costs(wave=_WAVE_COST, second=_PATIENCE * left / rest_s)
        probe = council.choose(now, horizon, min(left, 2 * self._declared.requests), costs)
        if probe.bits < _NOTHING:  # rather a wave that would surprise the leader than one that surprises no one
            return self._check(now, horizon, left, shares)
        spread = self._spread(probe, council, horizon / 1.3)
        return spread if spread is not probe else self._halved(probe, shares)

    def add(self, observations: Sequence[Observation]) -> None:
        """What became of the requests of the last probe."""
        wave = Wave(tuple(observations))
        self._waves.append(wave)
        self._past = Past(self._waves)
        surprised = self._checking and self._expected() < 3 * _WRONG
        if self._checking:
            self._passed_checks = 0 if surprised else self._passed_checks + 1
        top = max(population.score for population in self._populations)
        for population in self._populations:
            moves = _MOVES if top - population.score < _FORLORN else 0
            population.update(self._past, self._dice, moves)
        self._restart(everything=surprised)
        if self.shares().max() > _SURE and len(self._waves) >= self._review_at:
            self._review()
        if self.shares().max() > _LIKELY:
            self._leader().stir(self._past, self._dice, _STIRRED)

    def shares(self) -> Floats:
        """How probable each kind is, among the kinds that we know."""
        scores = np.array([population.score for population in self._populations])
        shares: Floats = np.exp(scores - scores.max())
        return shares / shares.sum()

    def verdict(self) -> Fitted:
        """What fits."""
        shares, stated = self._stated()
        return estimate(self._populations, shares, self._past, self._declared, stated=stated)

    def honesty(self) -> tuple[Honesty, tuple[Promise, ...]]:
        """What Retry-After said, against the limiter that fits; nothing is judged where none does."""
        refusals = sum(wave.sent - wave.admitted for wave in self._waves)
        shares, stated = self._stated()
        population = self._populations[int(np.argmax(shares))]
        if not stated or population.kind.name in (UNLIMITED, CONCURRENCY):
            return Honesty(UNJUDGED, refusals, self._promised()), ()
        found = promises(population, self._past)
        if len(found) < self._promised() / 2:  # it never admits again, so it is not the one that promised
            return Honesty(UNJUDGED, refusals, self._promised()), found
        first = honesty(found, refusals)
        for number in np.argsort(-shares)[1:]:  # what another limiter may have meant is not held against this one
            rival = self._populations[number]
            if first.verdict in (HONEST, MISSING) or shares[number] < _MAYBE * shares.max():
                break
            if rival.kind.name not in (UNLIMITED, CONCURRENCY):
                others = promises(rival, self._past)
                other = honesty(others, refusals)
                if other.verdict == HONEST:
                    return other, others
        return first, found

    def _leader(self) -> Population:
        return self._populations[int(np.argmax(self.shares()))]

    def _promised(self) -> int:
        return sum(one.promised_s is not None and not one.admitted for wave in self._waves for one in wave.observations)

    def _open(self, now: float, left: int) -> Probe:
        done = len(self._waves)
        requests = self._declared.requests
        share = _OPENING[done] if done < len(_OPENING) else 1.5 * (done - len(_OPENING) + 1)
        pause = _SPREAD * self._declared.window_s if done in (1, 2) else 0.0
        return Probe(now + pause, max(1, min(left, round(share * requests))))

    def _spread(self, probe: Probe, council: Council, window_s: float) -> Probe:
        """Use up a large room in three parts: a log gives back what it got as spread out as it got it."""
        part = -(-probe.count // 3)
        if probe.count < _LARGE * self._declared.requests or council.refusing(probe.at_s, 2 * part) > _RISK:
            return probe
        self._whole = not self._whole  # every other time: an allowance for bursts shows only in a burst
        if self._whole:
            return probe
        self._queue = [(_PART * window_s, part), (_PART * window_s, max(1, probe.count - 2 * part))]
        return Probe(probe.at_s, part, probe.bits)

    def _halved(self, probe: Probe, shares: Floats) -> Probe:
        """Send half of a large wave first, the rest at once if all of it passes: else that would have been wasted.

        Not where requests under way count, or where answers take so long that the rest would be another burst.
        """
        names = [population.kind.name for population in self._populations]
        if probe.count < _HALVED or shares[names.index(CONCURRENCY)] > _DOUBT:
            return probe
        if self._past.service_s > _AT_ONCE * self._declared.window_s:
            return probe
        half = -(-probe.count // 2)
        self._queue = [(0.0, probe.count - half)]
        return Probe(probe.at_s, half, probe.bits)

    def _rested(self, window_s: float) -> float:
        """When to ask again after requests that passed: what passes spread out is forgotten spread out, and tells."""
        last = self._waves[-1]
        if last.admitted < last.sent:
            return 0.0
        return float(self._past.times[-1]) + _GAP * min(window_s, self._declared.window_s)

    def _horizon_s(self, shares: Floats) -> float:
        spans = [
            float(np.quantile(population.sets[:, column], 0.9))
            for population, share in zip(self._populations, shares, strict=True)
            for column in (population.kind.index(name) for name in _SPANS)
            if share > 0.01 and column is not None
        ]
        return 1.3 * max(spans, default=self._declared.window_s)

    def _settled(self, shares: Floats) -> bool:
        if shares.max() < _SURE:
            return False
        fitted = self.verdict()
        if fitted.kind == UNEXPLAINED:
            return False
        return all(part is None or part.confidence >= _SURE_PARAMETER for part in fitted.parts())

    def _doubted_limit(self, shares: Floats) -> int:
        """How many requests would tell the limit; 0 where it is known, or the kind is in more doubt."""
        fitted = self.verdict()
        if shares.max() < _LIKELY or fitted.limit is None or fitted.limit.confidence >= _SURE_PARAMETER:
            return 0
        column = self._leader().kind.index("limit")
        return 0 if column is None else int(np.quantile(self._leader().sets[:, column], 0.9)) + 1

    def _check(self, now: float, horizon_s: float, left: int, shares: Floats) -> Probe:
        """A wave whose outcome the winner knows: at a moment of no one's choosing, or close to the next admission."""
        population = self._populations[int(np.argmax(shares))]
        at = now + np.sort(self._dice.uniform(0, horizon_s, 24))
        room = population.kind.room(
            population.best()[None, :], self._past, at[None, :], np.broadcast_to(self._past.end, at.shape)
        )[0]
        if self._passed_checks % 2 == 0:
            free = np.flatnonzero(room >= 1)
            chosen = free[0] if free.size else len(at) - 1
            return Probe(float(at[chosen]), int(max(1, min(left, room[chosen] + 1))))
        partly = np.flatnonzero((room >= 1) & (room < self._declared.requests))
        chosen = partly[len(partly) // 2] if partly.size else len(at) // 2
        return Probe(float(at[chosen]), int(max(1, min(left, room[chosen] + 1))))

    def _expected(self) -> float:
        """How probable the newest wave was to the kind that leads."""
        population = self._leader()
        found = likelihood(population.kind, population.sets, self._past, len(self._past) - 1)
        return float(np.exp(found).mean()) * 1.0

    def _stated(self) -> tuple[Floats, bool]:
        """How probable each kind is, without those that an answer contradicts; and whether any is left to be stated.

        A kind that is far less probable than one that is contradicted is not stated in its place.
        """
        scores = np.array([population.score for population in self._populations])
        shares = self.shares()
        for number in np.argsort(-scores):
            if scores.max() - scores[number] > _INSTEAD:
                break
            if self._populations[number].contradictions(self._past) == 0:
                return shares / shares.sum(), True
            shares[number] = 0.0
        return self.shares(), False

    def _restart(self, *, everything: bool) -> None:
        """Look afresh for parameter sets of the kinds that have none left which explains every wave."""
        scores = np.array([population.score for population in self._populations])
        lost = self._wrong(self._populations[int(np.argmax(scores))])
        for number, population in enumerate(self._populations):
            if not population.kind.parameters or population.kind.name == CONCURRENCY:
                continue
            due = len(self._waves) >= self._again[number] and (lost or scores.max() - scores[number] < _HOPELESS)
            if (everything or due) and self._wrong(population):
                population.restart(self._past, self._dice)
                self._vain[number] = self._vain[number] + 1 if self._wrong(population) else 0
                self._again[number] = len(self._waves) + self._vain[number]

    def _review(self) -> None:
        """Look afresh for parameter sets of the leader's rivals: few that are left may be few by bad luck."""
        self._review_at = round(_REVIEW * len(self._waves))
        leader = self._leader()
        for population in self._populations:
            if population is not leader and leader.score - population.score < _FORLORN:
                population.restart(self._past, self._dice)

    def _wrong(self, population: Population) -> bool:
        found = likelihood(population.kind, population.best()[None, :], self._past)
        return bool(np.exp(found).min() < _WRONG)
