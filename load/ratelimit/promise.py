"""What Retry-After promised, beside the next admission of the limiter that fits: judged without a request more.

The header speaks in whole seconds (RFC 9110, section 10.2.3: delay-seconds), so nothing finer than a second is held
against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testcard.core.record import Jsonable
from testcard.load.ratelimit.catalogue import BUCKET
from testcard.load.ratelimit.kind import Flags
from testcard.load.ratelimit.observation import Floats, Past
from testcard.load.ratelimit.population import Population

HONEST, EARLY, LATE, MISSING, UNRELATED = "honest", "early", "late", "missing", "unrelated"
UNJUDGED = "not-judged"
_WHOLE_S = 1.0
_FEW = 0.1
"""Up to this share of the promises may be off, and the header is still called honest."""
_CLEARLY = 4.0
_SETS = 48
_KEPT, _WORST_S = 0.25, 20.0
"""The share of the parameter sets that may speak for a header, and beyond what a promise is off all the same."""
_STEPS = 240
_RELATED = 0.5
_VARIED_S = 2.0
_SEVERAL, _AT_ONCE = 4, 0.25
"""So many promises beside another one tell whether those of one moment agree, each within this share of itself."""
_MOSTLY, _LOOSELY = 2 / 3, 0.15
"""So many of the promises must follow a rule, each within this share of itself."""


@dataclass(frozen=True, slots=True)
class Promise(Jsonable):
    """One refusal: how long it asked to wait, and how long the wait would have been."""

    at_s: float
    """When the server decided, on the clock of the observations."""
    promised_s: float
    wait_s: float
    """Until the fitted limiter's next admission, from the answer: a slow one leaves less of the wait."""
    doubt_s: float
    """How uncertain that wait is."""
    by_date: bool = False
    """Whether it was said by a date."""

    @property
    def error_s(self) -> float:
        """Seconds too late, or below 0 too early, beyond what whole seconds and the doubt explain."""
        error = self.promised_s - self.wait_s
        slack = self.whole_s + self.doubt_s
        return error - slack if error > slack else min(0.0, error + slack)

    @property
    def whole_s(self) -> float:
        """How far rounding alone may put it from the truth."""
        return _WHOLE_S * (1 + self.by_date)


@dataclass(frozen=True, slots=True)
class Honesty(Jsonable):
    """What all promises together say."""

    verdict: str
    """`honest`, `early`, `late`, `missing`, `unrelated`; `not-judged` where no limiter fits."""
    refusals: int
    promised: int
    """Refusals with a usable Retry-After."""
    kept_share: float | None = None
    """Promises that hold, as far as whole seconds tell."""
    ratio: float | None = None
    """Promised over true wait, of all promises together."""
    error_s: float | None = None
    """Promised minus true wait, the median, seconds."""
    worst_s: float | None = None
    """The same, where it is largest in either direction."""


def promises(population: Population, past: Past) -> tuple[Promise, ...]:
    """Each promise and the wait that the fitted limiter would have asked for."""
    sets = population.sets[:: max(1, len(population.sets) // _SETS)]
    said: list[tuple[int, list[tuple[float, bool, float]]]] = []
    for number, wave in enumerate(past.waves):
        promised = [
            (one.promised_s, one.by_date, one.answered_s)
            for one in wave.observations
            if not one.admitted and one.promised_s is not None
        ]
        if promised:
            said.append((number, promised))
    if not said:
        return ()
    every = np.stack([_waits(population, sets, past, number) for number, _ in said], axis=1)
    kind_to_it = _agreeing(every, np.array([np.median([value for value, *_ in promised]) for _, promised in said]))
    found: list[Promise] = []
    for (number, promised), waits in zip(said, every.T, strict=True):
        near, all_waits = waits[kind_to_it & np.isfinite(waits)], waits[np.isfinite(waits)]
        if near.size:
            wait, doubt = float(np.median(near)), float(np.ptp(np.quantile(all_waits, (0.1, 0.9))))
            at = float(past.times[number])
            for value, by_date, answered in promised:
                under_way = max(0.0, answered - at)
                left = max(0.0, wait - under_way)
                found.append(Promise(at, value, left, doubt + 2 * past.jitter_s + under_way, by_date))
    return tuple(found)


def _agreeing(waits: Floats, promised: Floats) -> Flags:
    """The parameter sets with which the promises make most sense: the truth, or the truth times some factor.

    All of them explain the answers, so the header may choose: the benefit of the doubt, and the better measure of a
    lie.

    Args:
        waits: one row a parameter set, one column a wave; not finite where nothing would ever be admitted.
        promised: what the refusals of each wave said.
    """
    known = np.where(np.isfinite(waits), waits, 0.0)
    factor = np.median(promised / np.maximum(known, _WHOLE_S / 2), axis=1)[:, None]
    apart = np.minimum(
        np.minimum(np.abs(promised - known), _WORST_S).mean(axis=1),
        np.minimum(np.abs(promised - factor * known) / np.maximum(factor, 1.0), _WORST_S).mean(axis=1),
    )
    apart += _WORST_S * (~np.isfinite(waits)).mean(axis=1)
    chosen: Flags = apart <= np.quantile(apart, _KEPT)
    return chosen


def honesty(found: Sequence[Promise], refusals: int) -> Honesty:
    """The verdict on Retry-After."""
    if len(found) < refusals / 2 or not found:
        return Honesty(MISSING, refusals, len(found))
    errors = np.array([one.error_s for one in found])
    raw = np.array([one.promised_s - one.wait_s for one in found])
    waited = sum(one.wait_s for one in found)
    return Honesty(
        verdict=_verdict(found, errors),
        refusals=refusals,
        promised=len(found),
        kept_share=float((errors == 0).mean()),
        ratio=sum(one.promised_s for one in found) / waited if waited > 0 else None,
        error_s=float(np.median(raw)),
        worst_s=float(raw[np.argmax(np.abs(raw))]),
    )


def _verdict(found: Sequence[Promise], errors: Floats) -> str:
    early, late = float((errors < 0).mean()), float((errors > 0).mean())
    if early + late <= _FEW or _close(found):
        return HONEST
    if not _alike(found) or not _related(found):
        return UNRELATED
    if early >= _CLEARLY * late:
        return EARLY
    return LATE if late >= _CLEARLY * early else UNRELATED


def _close(found: Sequence[Promise]) -> bool:
    """Whether the promises are right on the whole, and usually to the second: a few that are off prove no lie."""
    waits, promised = np.array([one.wait_s for one in found]), np.array([one.promised_s for one in found])
    usual = float(np.median(np.abs(promised - waits)))
    return abs(float(promised.sum() - waits.sum())) <= _FEW * float(waits.sum()) and usual <= found[0].whole_s


def _alike(found: Sequence[Promise]) -> bool:
    """Whether what was said of one wait at one moment is about the same, whatever it is."""
    within: list[bool] = []
    for at in {one.at_s for one in found}:
        waits = np.array([one.wait_s for one in found if one.at_s == at])
        promised = np.array([one.promised_s for one in found if one.at_s == at])
        promised = promised[np.abs(waits - np.median(waits)) <= _WHOLE_S / 2]
        if promised.size > 1:
            usual = float(np.median(promised))
            within += (np.abs(promised - usual) <= 2 * _WHOLE_S + _AT_ONCE * usual).tolist()
    return len(within) < _SEVERAL or float(np.mean(within)) >= _MOSTLY


def _related(found: Sequence[Promise]) -> bool:
    """Whether the promises are the waits times some factor, or longer by some time, or grow with them at all."""
    waits, promised = np.array([one.wait_s for one in found]), np.array([one.promised_s for one in found])
    varied = waits.std() > _VARIED_S
    if varied and promised.std() == 0 and promised[0] > _VARIED_S:  # a second or two may be a share, rounded
        return False
    factor = float(np.median(promised / np.maximum(waits, _WHOLE_S / 2)))
    doubt, whole = np.array([one.doubt_s for one in found]), np.array([one.whole_s for one in found])
    times = np.abs(promised - factor * waits) <= whole + factor * doubt + _LOOSELY * promised
    longer = np.abs(promised - waits - np.median(promised - waits)) <= whole + doubt
    if max(times.mean(), longer.mean()) >= _MOSTLY:
        return True
    return bool(varied and np.corrcoef(waits, promised)[0, 1] >= _RELATED)


def _waits(population: Population, sets: Floats, past: Past, number: int) -> Floats:
    """Seconds from a wave to the next admission of each parameter set, if nothing follows."""
    longest = float(np.max(sets[:, 1])) * 1.5 if sets.shape[1] > 1 else 0.0
    if population.kind.name == BUCKET:  # a token that is owed must come in as well
        longest += float(np.max(sets[:, 1])) * float((past.sent - past.admitted)[: number + 1].sum())
    offsets = np.linspace(0.0, max(longest, 1.0), _STEPS)
    first = _first_free(population, sets, past, number, np.broadcast_to(offsets, (len(sets), _STEPS)))
    step = offsets[1]
    fine = np.maximum(first[:, None] - step + np.linspace(0.0, step, 32)[None, :], 0.0)
    return np.where(np.isfinite(first), _first_free(population, sets, past, number, fine), np.inf)


def _first_free(population: Population, sets: Floats, past: Past, number: int, offsets: Floats) -> Floats:
    before = np.full(offsets.shape[1], number + 1)
    moments = past.times[number] + np.where(np.isfinite(offsets), offsets, 0.0)
    rooms = np.concatenate(
        [
            population.kind.room(row[None, :], past, moment[None, :], before)
            for row, moment in zip(sets, moments, strict=True)
        ]
    )
    free = rooms >= 1
    index = np.argmax(free, axis=1)
    found: Floats = np.where(free.any(axis=1), offsets[np.arange(len(sets)), index], np.inf)
    return found
