"""What the records of an investigation say about the limit of a key. A pure function of records."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from testcard.conformance.ratelimit import lines, number
from testcard.core.exchange import Response
from testcard.core.limitlab import (
    AdmissionFigures,
    ClientFigures,
    LimiterFigures,
    LimitEvent,
    LimitSummary,
    PromiseFigures,
    RetryAfterFigures,
    WaitFigures,
)
from testcard.core.record import Record
from testcard.load.crowd.policy import Policy, Reply, policies
from testcard.load.limitlab import reading
from testcard.load.limitlab.notes import notes
from testcard.load.limitlab.plan import KEEP, SCOPE, STAGES, LimitPlan
from testcard.load.limitlab.replay import Read, read
from testcard.load.limitlab.sentence import sentence
from testcard.load.ratelimit import Fitted, Honesty, Part, Promise

_MOST_EVENTS = 400
_CLIENTS = ("openai-python", "openai-python-2.51", "openai-node")


class LimitRecords:
    """Takes the records of a load; those of other scenarios are passed over."""

    def __init__(self) -> None:
        self._records: list[Record] = []

    def add(self, record: Record) -> None:
        if record.stage in STAGES and record.outcome is not None and record.sent_s is not None:
            self._records.append(record)

    def summary(self, plan: LimitPlan, seed: int) -> LimitSummary:
        """The limit of the plan's key."""
        records = sorted(self._records, key=lambda record: record.number)
        seen = read(records, plan, seed)
        records = list(seen.records)
        fitted, promises = seen.fitted, seen.promises
        own = reading.own(records)
        refused = [record for record in own if record.outcome == "limited"]
        scope = [record.outcome for record in records if record.stage == SCOPE and record.status is not None]
        begin = min((record.sent_s or 0.0 for record in records), default=0.0)
        return LimitSummary(
            key=plan.key,
            limiter=_limiter(seen, plan),
            retry_after=_retry_after(seen.honesty, promises, refused),
            admission=_admission(own, fitted, plan),
            scope=_scope(scope),
            requests=len(records),
            span_s=round(max((record.sent_s or 0.0 for record in records), default=0.0) - begin, 3),
            waits=tuple(_wait(kept) for kept in reading.kept_waits([one for one in records if one.stage == KEEP])),
            clients=tuple(_clients(refused)),
            promises=tuple(
                PromiseFigures(round(one.at_s - begin, 3), one.promised_s, round(one.wait_s, 3)) for one in promises
            ),
            timeline=tuple(_timeline(own, begin)),
            notes=tuple(notes(seen)),
        )


def _scope(outcomes: Sequence[str | None]) -> str:
    """Whether the second key was refused while the first was."""
    if not outcomes:
        return "not-tested"
    return "shared" if outcomes[0] == "limited" else "per-key"


def _limiter(seen: Read, plan: LimitPlan) -> LimiterFigures:
    fitted = seen.fitted
    return LimiterFigures(
        kind=fitted.kind,
        confidence=round(fitted.confidence, 4),
        sentence=sentence(fitted, plan.limit, seen.instead),
        alternatives=fitted.alternatives,
        limit=_value(fitted.limit),
        limit_confidence=_confidence(fitted.limit),
        window_s=_value(fitted.window_s),
        window_confidence=_confidence(fitted.window_s),
        burst=_value(fitted.burst),
        burst_confidence=_confidence(fitted.burst),
        at_least=fitted.at_least,
    )


def _value(part: Part | None) -> float | None:
    return None if part is None else round(part.value, 3)


def _confidence(part: Part | None) -> float | None:
    return None if part is None else round(part.confidence, 3)


def _retry_after(honesty: Honesty, promises: Sequence[Promise], refused: Sequence[Record]) -> RetryAfterFigures:
    forms = Counter(reading.form(record) for record in refused)
    errors = sorted(one.promised_s - one.wait_s for one in promises)
    resets = [found for record in refused if (found := _reset_disagrees(record)) is not None]
    return RetryAfterFigures(
        verdict=honesty.verdict if refused else "not-judged",
        refusals=len(refused),
        with_header=forms["seconds"] + forms["date"],
        forms=dict(sorted(forms.items())),
        kept_share=_rounded(honesty.kept_share),
        ratio=_rounded(honesty.ratio),
        error_s=_rounded(honesty.error_s),
        spread_s=_rounded(errors[int(0.9 * (len(errors) - 1))] - errors[int(0.1 * (len(errors) - 1))])
        if errors
        else None,
        worst_s=_rounded(honesty.worst_s),
        reset_disagrees=sum(resets) if resets else None,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _reset_disagrees(record: Record) -> bool | None:
    promised = reading.promised_s(record)
    raw = lines(Response(record.status or 0, record.headers, b"")).get("reset")
    reset = number(raw, duration=True) if raw is not None else None
    return None if promised is None or reset is None else reset < promised - 1.0


def _admission(records: Sequence[Record], fitted: Fitted, plan: LimitPlan) -> AdmissionFigures:
    counting = reading.bodies_count(records)
    passed = [
        record.sent_s
        for record in records
        if reading.let_through(record) and record.sent_s is not None and (counting or not record.violates)
    ]
    took: dict[bool, list[float]] = {True: [], False: []}
    for record in records:
        if record.outcome in ("limited", "valid", "invalid") and record.last_byte_s is not None:
            took[record.outcome == "limited"].append(record.last_byte_s - (record.sent_s or 0.0))
    return AdmissionFigures(
        declared=f"{plan.requests} requests in {plan.window_s:g} s",
        most_in_window=reading.most_within(passed, plan.window_s),
        most_at_once=reading.most_within(passed, plan.window_s / 10),
        refused_bodies_count=counting,
        refusals_count=fitted.refusals_count,
        refusal_s=_rounded(median(took[True])) if took[True] else None,
        refusal_max_s=_rounded(max(took[True])) if took[True] else None,
        admitted_s=_rounded(median(took[False])) if took[False] else None,
    )


def _wait(kept: reading.Kept) -> WaitFigures:
    return WaitFigures(
        promised_s=kept.promised_s,
        half_way="not-asked" if kept.half is None else _passed(kept.half),
        after=_passed(kept.after),
    )


def _passed(record: Record) -> str:
    return "refused" if record.outcome == "limited" else "admitted"


def _clients(refused: Sequence[Record]) -> Iterator[ClientFigures]:
    """What the official SDKs make of the refusal with the median promise."""
    if not refused:
        return
    ordered = sorted(refused, key=lambda record: reading.promised_s(record) or 0.0)
    usual = ordered[len(ordered) // 2]
    for name in _CLIENTS:
        yield ClientFigures(name, _reads(policies()[name], usual), policies()[name].source)


def _reads(policy: Policy, record: Record) -> str:
    reply = Reply(record.status, reading.headers(record))
    promised = reading.promised_s(record)
    # Seconds since the epoch for which a date in the header says what the answer's own Date makes of it.
    now = reading.answered_at(record)
    wait = policy.wait_s(reply, 0, dice=random.Random(0), now=now)
    if wait is None:
        return "gives up at once"
    if promised is not None and wait >= promised and promised > 0:
        return f"waits the {promised:g} s that it is told"
    told = "is told nothing" if promised is None else f"does not obey {promised:g} s"
    return f"{told}: asks again after {wait:.1f} s"


def _timeline(records: Sequence[Record], begin: float) -> Iterator[LimitEvent]:
    told = [record for record in records if record.outcome in reading.TOLD]
    for record in told[:_MOST_EVENTS]:
        admitted = record.outcome != "limited"
        at = (record.sent_s or 0.0) if admitted or record.last_byte_s is None else record.last_byte_s
        yield LimitEvent(round(at - begin, 3), admitted, reading.promised_s(record))
