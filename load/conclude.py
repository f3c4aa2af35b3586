"""What a load's records say: figures, and verdicts on claims and SLOs. A pure function of records.

So an interrupted or killed run is concluded from its file, later, by the same rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from testcard.core.outcome import LOAD_OUTCOMES
from testcard.core.quantile import quantile, quantiles
from testcard.core.quantity import human_s
from testcard.core.record import Record
from testcard.core.summary import LoadSummary
from testcard.core.target import Slo
from testcard.load.bound import Sample, judge_claims, judge_slos
from testcard.load.collect import CAPPED
from testcard.load.generator import Generator
from testcard.load.plan import MEASURED, PHASES, LoadPlan

_ANSWERED = ("valid", "invalid", "limited", "refused", "server-error", "timeout", "broken")

LATE_S = 0.020
LATE_SHARE = 0.10
"""The generator is late when the slowest hundredth of its requests left later than planned by more than both
20 ms and 10 % of the median latency."""
BUSY_SHARE = 0.9
"""The generator is busy when a worker used more of its core than this; Locust warns at the same share."""


@dataclass(slots=True)
class _Seen:
    """What one pass over the records gathers; seconds."""

    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LOAD_OUTCOMES, 0))
    latency: list[float] = field(default_factory=list)
    service: list[float] = field(default_factory=list)
    first_byte: list[float] = field(default_factory=list)
    media: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    capped: int = 0
    """Dropped because too many were under way, not because their worker had died."""
    warmup: int = 0
    all_arrivals: int = 0
    first_planned: float | None = None
    last_sent: float | None = None

    def add(self, record: Record) -> None:
        if record.phase not in PHASES or record.outcome is None:
            return
        self.all_arrivals += 1
        if record.phase != MEASURED:
            self.warmup += 1
            return
        self.outcomes[record.outcome] = self.outcomes.get(record.outcome, 0) + 1
        self.capped += record.outcome == "dropped" and CAPPED in (record.failure or "")
        planned = record.planned_s
        if self.first_planned is None or planned < self.first_planned:
            self.first_planned = planned
        latency = seen = None
        if record.sent_s is not None and record.outcome != "lost":
            self.lag.append(max(0.0, record.sent_s - planned))
        if record.sent_s is not None and (self.last_sent is None or record.sent_s > self.last_sent):
            self.last_sent = record.sent_s
        if record.outcome in ("valid", "invalid") and record.last_byte_s is not None and record.sent_s is not None:
            latency = record.last_byte_s - planned
            self.latency.append(latency)
            self.service.append(record.last_byte_s - record.sent_s)
            if record.first_byte_s is not None:
                self.first_byte.append(record.first_byte_s - planned)
            if record.media_s is not None:
                self.media.append(record.media_s - planned)
            seen = latency if record.media_s is None else record.media_s - planned
        self.samples.append(Sample(record.size, record.outcome, latency, seen))


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
    seen = _Seen()
    for record in records:
        seen.add(record)
    latency = quantiles(seen.latency)
    validity, reason = _validity(seen, generator)
    count = seen.outcomes
    answered = sum(count[name] for name in _ANSWERED)
    sent = answered + count["lost"]
    spent_s = plan.duration_s
    if seen.first_planned is not None and seen.last_sent is not None:
        spent_s = max(spent_s, seen.last_sent - seen.first_planned)
    return LoadSummary(
        scenario=plan.scenario,
        validity=validity,
        arrivals={
            "planned": sent + count["dropped"],
            "sent": sent,
            "dropped": count["dropped"],
            "answered": answered,
            "lost": count["lost"],
        },
        offered_rate_per_s=round((sent + count["dropped"]) / plan.duration_s, 4),
        achieved_rate_per_s=round(sent / spent_s, 4),
        duration_s=plan.duration_s,
        latency_s=_rounded(latency),
        service_s=_rounded(quantiles(seen.service)),
        outcomes={name: count[name] for name in _ANSWERED},
        claims=judge_claims(seen.samples, asked=claims, plan=plan, price_usd=price_usd, invalid=reason),
        slos=judge_slos(seen.samples, slos, plan=plan, price_usd=price_usd, invalid=reason),
        media_s=_rounded(quantiles(seen.media)) or None,
        first_byte_s=_rounded(quantiles(seen.first_byte)) or None,
        dispatch_lag_s=_lag(seen.lag),
        warmup=seen.warmup,
        arrivals_process=plan.arrivals,
        size=plan.size,
        processes=plan.processes,
        notes=_notes(plan, seen, generator, reason),
    )


def _validity(seen: _Seen, generator: Generator | None) -> tuple[str, str | None]:
    """Whether the figures describe the server, and if not, why."""
    if seen.lag:
        lag = quantile(sorted(seen.lag), 0.99)
        median = quantile(sorted(seen.latency), 0.5) if seen.latency else 0.0
        if lag > max(LATE_S, LATE_SHARE * median):
            return "generator-late", (
                f"the generator was late: a hundredth of its requests left {human_s(lag)} or more after their time; "
                "take more --processes, a lower --rate or a less busy machine"
            )
    for worker in generator.workers if generator else ():
        if worker.cpu_share is not None and worker.cpu_share > BUSY_SHARE:
            return "generator-busy", (
                f"the generator was short of CPU: worker {worker.worker} used {worker.cpu_share:.0%} of its core; "
                "take more --processes or a lower --rate"
            )
    return "ok", None


def _notes(plan: LoadPlan, seen: _Seen, generator: Generator | None, reason: str | None) -> tuple[str, ...]:
    notes = list(generator.notes) if generator else ["The run was cut off: the generator left no account of itself."]
    if reason is not None:
        notes.append(f"Nothing is certified: {reason}.")
    if seen.all_arrivals < plan.count:
        notes.append(f"Ended after {seen.all_arrivals} of {plan.count} arrivals.")
    if seen.capped:
        notes.append(f"{seen.capped} arrivals were dropped: {plan.in_flight_cap} were under way already.")
    return tuple(notes)


def _lag(lags: list[float]) -> dict[str, float] | None:
    if not lags:
        return None
    named = quantiles(lags)
    return _rounded({name: named[name] for name in ("p50", "p99", "max")})


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in values.items()}
