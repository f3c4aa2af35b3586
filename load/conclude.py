"""What a load's records say: figures, and verdicts on claims and SLOs. A pure function of records.

So an interrupted or killed run is concluded from its file, later, by the same rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from testcard.core.loadpart import SizeFigures, StageFigures
from testcard.core.quantile import quantile, quantiles
from testcard.core.quantity import human_s
from testcard.core.record import Record
from testcard.core.summary import LoadSummary
from testcard.core.target import Slo
from testcard.load.bound import Case, Judged, Sample, judge_claims, judge_slos
from testcard.load.collect import CAPPED
from testcard.load.crowd.summary import CrowdRecords
from testcard.load.generator import Generator
from testcard.load.limitlab.summary import LimitRecords
from testcard.load.mix import told
from testcard.load.plan import CLOSED, MEASURED, OPEN, PHASES, REPLACE, LoadPlan
from testcard.load.preview import Screen
from testcard.load.sampling import sampled
from testcard.load.tally import GOOD, Tally, named, rounded

LATE_S = 0.020
LATE_SHARE = 0.10
"""The generator is late when the slowest hundredth of its requests left later than planned by more than both
20 ms and 10 % of the median latency."""
BUSY_SHARE = 0.9
"""The generator is busy when a worker used more of its core than this; Locust warns at the same share."""


class _Seen:
    """What one pass over the records gathers; seconds."""

    def __init__(self, plan: LoadPlan) -> None:
        self.all = Tally()
        self.by_stage: defaultdict[str, Tally] = defaultdict(Tally)
        self.by_size: defaultdict[str, Tally] = defaultdict(Tally)
        self.samples: list[Sample] = []
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
        self.samples.append(Sample(record.size, record.outcome, latency, seen, record.stage))


def conclude(
    plan: Mapping[str, Any] | LoadPlan,
    records: Iterable[Record],
    *,
    claims: Collection[str] = (),
    slos: Sequence[Slo] = (),
    generator: Generator | None = None,
    price_usd: float | None = None,
) -> LoadSummary:
    """The summary of a load.

    Args:
        plan: as the header of records.jsonl holds it.
        records: of any phase; those of the check are passed over.
        claims: ids of the claims that count; all are judged.
        slos: the bounds that were asked for.
        generator: the workers' own account, from generator.json; None where the run was cut off.
        price_usd: of one image, for the advice on what would decide.
    """
    plan = plan if isinstance(plan, LoadPlan) else LoadPlan.from_json(dict(plan))
    seen = _Seen(plan)
    crowds = CrowdRecords()
    limits = LimitRecords()
    for record in records:
        seen.add(record)
        crowds.add(record)
        limits.add(record)
    validity, reason = _validity(seen.all, generator, plan.loop) if plan.limit is None else ("ok", None)
    case = Case(plan, price_usd, reason)
    glances = seen.screen.glances(plan.seed) if seen.screen else ()
    on_claims = judge_claims(seen.samples, claims, case, glances)
    on_slos = judge_slos(seen.samples, slos, case)
    every = seen.all
    achieved_per_s = every.achieved_per_s(plan.duration_s)
    return LoadSummary(
        scenario=plan.scenario,
        validity=validity,
        arrivals=every.arrivals,
        # A crowd goes on asking after the span within which its clients first ask.
        offered_rate_per_s=achieved_per_s
        if plan.at_most and plan.loop != CLOSED
        else every.offered_per_s(plan.duration_s),
        achieved_rate_per_s=achieved_per_s,
        duration_s=plan.duration_s,
        latency_s=named(every.latency),
        service_s=named(every.service),
        outcomes=every.outcomes,
        claims=tuple(judged.bound for judged in on_claims),
        slos=tuple(judged.bound for judged in on_slos),
        media_s=named(every.media) or None,
        first_byte_s=named(every.first_byte) or None,
        dispatch_lag_s=_lag(every.lag),
        warmup=seen.warmup,
        arrivals_process=plan.arrivals if plan.loop == OPEN else plan.loop,
        size=plan.size,
        processes=plan.processes,
        loop=plan.loop,
        clients=plan.clients if plan.loop == CLOSED else None,
        think_s=plan.think_s if plan.loop == CLOSED else None,
        mix=told(plan.mix) if len(plan.mix) > 1 else None,
        stages=() if plan.crowd or plan.limit else _stages(plan, seen.by_stage, (*on_slos, *on_claims)),
        by_size=_sizes(seen.by_size),
        preview=seen.screen.figures(plan) if seen.screen else None,
        crowd=crowds.summary(plan.crowd, plan.clients, plan.duration_s, plan.seed, complete=_complete(generator))
        if plan.crowd
        else None,
        limit=limits.summary(plan.limit, plan.seed) if plan.limit else None,
        notes=_notes(plan, seen, generator, reason),
    )


def _stages(plan: LoadPlan, by_stage: Mapping[str, Tally], judged: Sequence[Judged]) -> tuple[StageFigures, ...]:
    found, begin = [], 0.0
    for stage in plan.stages:
        if stage.phase != MEASURED:
            continue
        tally = by_stage.get(stage.name, Tally())
        verdicts = {one.bound.id: one.by_part[stage.judged_as] for one in judged if stage.judged_as in one.by_part}
        found.append(
            StageFigures(
                name=stage.name,
                begins_s=round(begin, 6),
                duration_s=round(stage.duration_s, 6),
                rate_per_s=round(stage.rate_per_s, 6),
                end_rate_per_s=round(stage.end_rate_per_s, 6),
                offered_rate_per_s=tally.offered_per_s(stage.duration_s),
                achieved_rate_per_s=tally.achieved_per_s(stage.duration_s),
                arrivals=tally.arrivals,
                latency_s=named(tally.latency),
                outcomes=tally.outcomes,
                media_s=named(tally.media) or None,
                judged_as=stage.judged_as,
                verdicts=verdicts,
            )
        )
        begin += stage.duration_s
    return tuple(found)


def _sizes(by_size: Mapping[str, Tally]) -> tuple[SizeFigures, ...]:
    return tuple(
        SizeFigures(size, tally.arrivals, named(tally.latency), tally.outcomes, named(tally.media) or None)
        for size, tally in sorted(by_size.items())
    )


_REMEDY = {
    OPEN: "take more --processes, a lower --rate or a less busy machine",
    CLOSED: "take more --processes, fewer --clients or a less busy machine",
}


def _validity(seen: Tally, generator: Generator | None, loop: str) -> tuple[str, str | None]:
    """Whether the figures describe the server, and if not, why."""
    remedy = _REMEDY.get(loop, "take a less busy machine")
    if seen.lag:
        lag = quantile(sorted(seen.lag), 0.99)
        median = quantile(sorted(seen.latency), 0.5) if seen.latency else 0.0
        if lag > max(LATE_S, LATE_SHARE * median):
            return "generator-late", (
                f"the generator was late: a hundredth of its requests left {human_s(lag)} or more after their time; "
                f"{remedy}"
            )
    for worker in generator.workers if generator else ():
        if worker.cpu_share is not None and worker.cpu_share > BUSY_SHARE:
            return "generator-busy", (
                f"the generator was short of CPU: worker {worker.worker} used {worker.cpu_share:.0%} of its core; "
                f"{remedy}"
            )
    return "ok", None


def _notes(plan: LoadPlan, seen: _Seen, generator: Generator | None, reason: str | None) -> tuple[str, ...]:
    notes = list(generator.notes) if generator else ["The run was cut off: the generator left no account of itself."]
    if reason is not None:
        notes.append(f"Nothing is certified: {reason}.")
    if (decoded := sampled(plan)) is not None:
        notes.append(decoded)
    if seen.arrivals < plan.count and not plan.at_most:
        notes.append(f"Ended after {seen.arrivals} of {plan.count} arrivals.")
    if seen.capped:
        notes.append(f"{seen.capped} arrivals were dropped: {plan.in_flight_cap} were under way already.")
    if plan.loop == CLOSED:
        notes.append(
            "A closed loop: each client waited for its answer before it asked again, so a slow server was asked less, "
            "and these figures leave out what independent clients would have met."
        )
    if cancelled := seen.all.count["cancelled"]:
        notes.append(
            f"{cancelled} requests were cancelled, since the next prompt had come; they stand under preview and in no "
            "other figure, and a server may bill them all the same."
        )
    return tuple(notes)


def _complete(generator: Generator | None) -> bool:
    return generator is not None and all(worker.complete for worker in generator.workers)


def _lag(lags: Sequence[float]) -> dict[str, float] | None:
    if not lags:
        return None
    values = quantiles(lags)
    return rounded({name: values[name] for name in ("p50", "p99", "max")})
