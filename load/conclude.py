"""What a load's records say: figures, and verdicts on claims and SLOs. A pure function of records.

So an interrupted or killed run is concluded from its file, later, by the same rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from testcard.core.behaviour import Behaviour
from testcard.core.loadpart import SizeFigures, StageFigures
from testcard.core.quantile import quantiles
from testcard.core.record import Record
from testcard.core.summary import Bound, LoadSummary
from testcard.core.target import Slo
from testcard.load.behaviour import Behaved
from testcard.load.bound import Case, Judged, judge_claims, judge_slos
from testcard.load.capacity.outcome import searched
from testcard.load.capacity.plan import DEFAULT_SLO
from testcard.load.certificate import Compared, Truth
from testcard.load.crowd.summary import CrowdRecords
from testcard.load.generator import Generator
from testcard.load.limitlab.summary import LimitRecords
from testcard.load.mix import told
from testcard.load.plan import CLOSED, MEASURED, OPEN, LoadPlan
from testcard.load.sampling import sampled
from testcard.load.seen import Seen, seen_by_stage
from testcard.load.servertiming import ServerTimes, overclaiming
from testcard.load.tally import Tally, bounded, named, rounded
from testcard.load.validity import OK, validity


def conclude(
    plan: Mapping[str, Any] | LoadPlan,
    records: Iterable[Record],
    *,
    claims: Collection[str] = (),
    slos: Sequence[Slo] = (),
    generator: Generator | None = None,
    price_usd: float | None = None,
    truth: Truth | None = None,
) -> LoadSummary:
    """The summary of a load.

    Args:
        plan: as the header of records.jsonl holds it.
        records: of any phase; those of the check are passed over.
        claims: ids of the claims that count; all are judged.
        slos: the bounds that were asked for.
        generator: the workers' own account, from generator.json; None where the run was cut off.
        price_usd: of one image, for the advice on what would decide.
        truth: what the bundled mock told, from truth.json.
    """
    plan = plan if isinstance(plan, LoadPlan) else LoadPlan.from_json(dict(plan))
    seen = Seen(plan)
    slos = tuple(slos) or ((DEFAULT_SLO,) if plan.search else ())
    crowds = CrowdRecords()
    limits = LimitRecords()
    behaved = Behaved(plan)
    server = ServerTimes()
    compared = Compared(truth.answers if truth else {})
    for record in records:
        behaved.add(record)
        compared.add(record)
        seen.add(record)
        server.add(record)
        crowds.add(record)
        limits.add(record)
    search = (
        searched(plan, plan.search, slos, seen_by_stage(seen, generator), price_usd)
        if plan.search is not None
        else None
    )
    if search is not None:
        plan = search.plan
        word, reason = search.validity
    else:
        word, reason = validity(seen.all, generator, plan.loop) if plan.limit is None else (OK, None)
    case = Case(plan, price_usd, reason)
    glances = seen.screen.glances(plan.seed) if seen.screen else ()
    on_claims = judge_claims(seen.samples, claims, case, glances)
    if plan.limit is not None:  # its requests come when they tell most: no claim speaks of them
        on_claims = tuple(judged for judged in on_claims if judged.bound.asked)
    on_slos = search.judged if search else judge_slos(seen.samples, slos, case)
    every = seen.all
    limit = limits.summary(plan.limit, plan.seed) if plan.limit else None
    behaviour = behaved.behaviour(generator)
    timing = server.timing()
    # Between the runs of a search nothing is meant to be sent.
    achieved_per_s = round(every.sent / plan.duration_s, 4) if search else every.achieved_per_s(plan.duration_s)
    return LoadSummary(
        scenario=plan.scenario,
        validity=word,
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
        latency_bounds_s=bounded(every.latency) or None,
        media_s=named(every.media) or None,
        first_byte_s=named(every.first_byte) or None,
        server_timing=timing,
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
        capacity=search.figures if search else None,
        behaviour=behaviour,
        certificate=compared.certificate(truth, _lag(every.lag)) if truth else None,
        preview=seen.screen.figures(plan) if seen.screen else None,
        crowd=crowds.summary(plan.crowd, plan.clients, plan.duration_s, plan.seed, complete=_complete(generator))
        if plan.crowd
        else None,
        limit=limit,
        notes=(
            *(limit.notes if limit else ()),
            *_notes(plan, seen, generator, reason),
            *_disagreeing(behaviour),
            *overclaiming(timing),
            *_together([judged.bound for judged in (*on_slos, *on_claims) if judged.bound.asked]),
        ),
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


def _notes(plan: LoadPlan, seen: Seen, generator: Generator | None, reason: str | None) -> tuple[str, ...]:
    notes = (
        list(generator.notes)
        if generator
        else ["The generator left no account of itself: the run was cut off, or its disk was full."]
    )
    if reason is not None:
        notes.append(f"Nothing is certified: {reason}.")
    pictures = seen.all.count["valid"] + seen.all.count["invalid"]
    if pictures and plan.stages and plan.limit is None and (decoded := sampled(plan)) is not None:
        notes.append(decoded)
    if seen.arrivals < plan.count and not plan.at_most:
        notes.append(f"Ended after {seen.arrivals} of {plan.count} arrivals.")
    if seen.capped:
        notes.append(_capped(plan, seen.capped, generator))
    if plan.search is not None:
        notes.append(
            "Figures over the whole search mix all of its rates, some of them too high on purpose; "
            "each step has its own."
        )
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


def _capped(plan: LoadPlan, dropped: int, generator: Generator | None) -> str:
    caps = [worker.in_flight_cap for worker in generator.workers] if generator else []
    most = sum(cap for cap in caps if cap is not None) if caps and None not in caps else plan.in_flight_cap
    why = "" if most >= plan.in_flight_cap else ", and this machine allows no more open files (ulimit -n)"
    return f"{dropped:,} arrivals were dropped: {most:,} were under way already{why}."


def _disagreeing(behaviour: Behaviour | None) -> Iterator[str]:
    """What is to be known where our own two counts differ."""
    little = behaviour.little if behaviour else None
    if little is not None and not little.agrees:
        yield (
            f"The generator's own clock counted {little.counted:.3g} arrivals in flight on average, the records say "
            f"{little.reckoned:.3g}: a fault of ours or a machine that stood still, so mind these figures."
        )


def _together(bounds: Sequence[Bound]) -> Iterator[str]:
    """What is to be known of verdicts whose arrivals were not independent."""
    worth = [f"{b.samples:,} for {b.id} are worth {b.effective_samples:,}" for b in bounds if b.effective_samples]
    if worth:
        yield (
            "Arrivals were late together rather than singly, as behind a stall or in a queue, and count for fewer "
            f"independent ones: {', '.join(worth)}. A certificate allows for it; a refutation speaks of this run."
        )


def _complete(generator: Generator | None) -> bool:
    return generator is not None and all(worker.complete for worker in generator.workers)


def _lag(lags: Sequence[float]) -> dict[str, float] | None:
    if not lags:
        return None
    values = quantiles(lags)
    return rounded({name: values[name] for name in ("p50", "p99", "max")})
