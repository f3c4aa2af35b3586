"""What a load's records show of the server's inside, and of ourselves."""

from __future__ import annotations

from array import array

from testcard.core.behaviour import Behaviour, LittleCheck, Saturation
from testcard.core.record import Record
from testcard.load.generator import Generator
from testcard.load.parallelism import Span, parallelism
from testcard.load.plan import OPEN, PHASES, LoadPlan
from testcard.load.saturation import saturation
from testcard.load.tally import GOOD

_MOST_SPANS = 50_000
_OFF, _SLACK = 0.1, 0.05
"""How far the two counts of arrivals in flight may be apart: the clock looks every 10 ms, and a record ends with the
last byte, the arrival itself a little later."""
_FEWEST_UNKNOWN = 0.01
_MOST_BAD = 0.1
"""Share of arrivals without a good answer beyond which the times of the good ones say little about waiting."""


class Behaved:
    """Takes the records of a load, warm-up too."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._spans: list[Span] = []
        self._came = array("d")
        self._ended = array("d")
        self._flown_s = 0.0
        self._sent = 0
        self._unknown = 0

    def add(self, record: Record) -> None:
        if record.phase not in PHASES or record.outcome is None:
            return
        if record.sent_s is None:
            return  # never under way: it waited for nobody
        self._came.append(record.planned_s)
        self._sent += 1
        if record.last_byte_s is None:
            self._unknown += 1  # it ended when it failed, and no stamp says when
            return
        self._ended.append(record.last_byte_s)
        self._flown_s += max(record.last_byte_s, record.media_s or 0.0) - record.sent_s
        if record.outcome in GOOD and len(self._spans) < _MOST_SPANS:
            self._spans.append(Span(record.sent_s, record.last_byte_s))

    def behaviour(self, generator: Generator | None) -> Behaviour | None:
        """What they show; None where it is nothing."""
        plan = self._plan
        alike = plan.loop == OPEN and len(plan.mix) == 1
        good = len(self._spans) >= (1 - _MOST_BAD) * min(len(self._came), _MOST_SPANS)
        found = Behaviour(
            parallelism=parallelism(self._spans) if alike and good else None,
            saturation=self._saturation() if plan.loop == OPEN and plan.search is None else None,
            little=self._little(generator),
        )
        return None if found == Behaviour() else found

    def _saturation(self) -> Saturation | None:
        schedule = self._plan.schedule()
        if not self._came or not schedule:
            return None
        begin = min(self._came) - schedule[0].offset_s
        return saturation(
            self._plan, [moment - begin for moment in self._came], [moment - begin for moment in self._ended]
        )

    def _little(self, generator: Generator | None) -> LittleCheck | None:
        """Both counts, where both are complete and there is one load that they are of."""
        workers = generator.workers if generator else ()
        if not workers or self._plan.search is not None or self._unknown > _FEWEST_UNKNOWN * self._sent:
            return None
        walls = [worker.wall_s for worker in workers if worker.complete and worker.wall_s]
        means = [worker.in_flight_mean for worker in workers if worker.in_flight_mean is not None]
        if len(walls) != len(workers) or len(means) != len(workers):
            return None
        wall = max(walls)
        counted = sum(mean * own for mean, own in zip(means, walls, strict=True)) / wall
        reckoned = self._flown_s / wall
        agrees = abs(counted - reckoned) <= _OFF * max(counted, reckoned) + _SLACK
        return LittleCheck(round(counted, 4), round(reckoned, 4), agrees)
