"""What one pass over the records of a load gathers."""

from __future__ import annotations

from collections import defaultdict

from testcard.core.record import Record
from testcard.load.bound import Sample
from testcard.load.capacity.judging import ByStage
from testcard.load.collect import CAPPED
from testcard.load.generator import Generator
from testcard.load.plan import MEASURED, PHASES, REPLACE, LoadPlan
from testcard.load.preview import Screen
from testcard.load.tally import GOOD, Tally
from testcard.load.validity import validity


class Seen:
    """What one pass over the records gathers; seconds."""

    def __init__(self, plan: LoadPlan) -> None:
        self.all = Tally()
        self.by_stage: defaultdict[str, Tally] = defaultdict(Tally)
        self.by_size: defaultdict[str, Tally] = defaultdict(Tally)
        self.samples: list[Sample] = []
        self.samples_of: defaultdict[str, list[Sample]] = defaultdict(list)
        """The same by stage."""
        self.screen = Screen() if plan.loop == REPLACE else None
        self.capped = 0
        """Dropped because too many were under way, not because their worker had died."""
        self.warmup = 0
        self.arrivals = 0
        self._several = len({kind.size for kind in plan.mix}) > 1

    def add(self, record: Record) -> None:
        if record.phase not in PHASES or record.outcome is None:
            return
        self.arrivals += 1
        if self.screen is not None:
            self.screen.add(record)
        if record.phase != MEASURED:
            self.warmup += 1
            return
        self.all.add(record)
        if record.stage is not None:
            self.by_stage[record.stage].add(record)
        if self._several and record.size is not None:
            self.by_size[record.size].add(record)
        self.capped += record.outcome == "dropped" and CAPPED in (record.failure or "")
        if record.outcome == "cancelled":
            return  # by us: it says nothing about how long it would have taken
        latency = seen = None
        if record.outcome in GOOD and record.last_byte_s is not None and record.sent_s is not None:
            latency = record.last_byte_s - record.planned_s
            seen = latency if record.media_s is None else record.media_s - record.planned_s
        sample = Sample(record.size, record.outcome, latency, seen, record.stage, record.planned_s)
        self.samples.append(sample)
        if record.stage is not None:
            self.samples_of[record.stage].append(sample)


def seen_by_stage(seen: Seen, generator: Generator | None) -> ByStage:
    """The same run by run, for whoever follows a search."""
    return ByStage(
        seen.samples_of, seen.by_stage, lambda stage: validity(seen.by_stage[stage], generator, stage=stage)[1]
    )
