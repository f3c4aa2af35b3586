"""Searches for the capacity: one run of the engine after the other, each at the rate that those before it ask for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from testcard.core.runfile import RunFile
from testcard.core.target import Slo, Target
from testcard.load.capacity.judging import follow
from testcard.load.capacity.plan import SearchPlan
from testcard.load.capacity.search import Look, look_plan
from testcard.load.collect import Progress
from testcard.load.generator import Generator
from testcard.load.plan import LoadPlan
from testcard.load.seen import Seen, seen_by_stage

_MOST_SCHEDULES = 50


class RunStep(Protocol):
    """Runs the engine once: `run`, with all that does not change from step to step."""

    def __call__(
        self,
        step: LoadPlan,
        *,
        first_number: int,
        sent: Sequence[float],
        on_progress: Callable[[Progress], None],
    ) -> object: ...


def search(
    plan: LoadPlan,
    bounds: SearchPlan,
    slos: Sequence[Slo],
    target: Target,
    run_step: RunStep,
    *,
    directory: Path,
    started: float,
    first_number: int = 1,
    sent: Sequence[float] = (),
    on_progress: Callable[[Look, Progress], None] | None = None,
) -> Generator:
    """Search to the end.

    Args and raises: as `run` has them; the budget is reserved step by step, so it may be used up between two.
    """
    whole = Generator(cores=os.cpu_count() or 1)
    earlier = list(sent)
    seen, file, followed = Seen(plan), RunFile(directory), None
    while True:
        for record in file.fresh_records():
            seen.add(record)
            if bounds.paced and record.sent_s is not None:
                earlier.append(started + record.sent_s)
        followed = follow(plan, bounds, slos, seen_by_stage(seen, whole), None, followed)
        if followed.ahead is None or _cut_short(whole):
            return whole
        look = followed.ahead
        step = _within(look_plan(plan, bounds, look), target, paced=bounds.paced)

        def show(progress: Progress, look: Look = look) -> None:
            if on_progress is not None:
                on_progress(look, progress)

        horizon = time.monotonic() - (target.limit.window_s if target.limit else 0.0)
        earlier = sorted(moment for moment in earlier if moment > horizon)
        try:
            run_step(step, first_number=first_number, sent=earlier if bounds.paced else (), on_progress=show)
        finally:
            last = Generator.read(directory)
            if last is not None:
                whole = _joined(whole, last, look)
                whole.write(directory)
        first_number += step.count


def _cut_short(generator: Generator) -> bool:
    """Whether a run did not come to its end: its server failed mostly, or a worker died."""
    return any(not worker.complete for worker in generator.workers)


def _joined(whole: Generator, last: Generator, look: Look) -> Generator:
    workers = tuple(replace(worker, stage=look.stage) for worker in last.workers)
    return replace(
        whole,
        workers=(*whole.workers, *workers),
        notes=(*whole.notes, *last.notes),
        missing=last.missing or whole.missing,
    )


def _within(step: LoadPlan, target: Target, *, paced: bool) -> LoadPlan:
    """The same step with a schedule that keeps the declared limit; nearly every one does."""
    for number in range(_MOST_SCHEDULES if paced and target.limit is not None else 0):
        other = replace(step, seed=step.seed + 1_000_003 * number)
        if target.limit is not None and other.keeps(target.limit):
            return other
    return step
