"""A run such as a gateway with a few defects would leave behind: 72 requirements and 3,000 load records."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from testcard import schemas
from testcard.core.outcome import FAIL, NOT_APPLICABLE, NOT_JUDGED, NOT_OBSERVED, PASS, WARN
from testcard.core.record import Finding, Record
from testcard.core.redact import Redactor
from testcard.core.runfile import NAME, Footer, Header, RunWriter
from testcard.core.summary import Bound, Cost, LoadSummary, RequirementResult, Summary
from testcard.core.targetfile import profile_target

TARGET = profile_target("mock").describe()
STARTED = "2026-11-22T15:12:00Z"
HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m\x00 | `a` **b** @octocat www.example.net \u202egnp\ud800"
"""What a server may answer: markup of every format, control characters, a lone surrogate."""

_CURL = (
    'curl -sS -i -X POST http://127.0.0.1:8600/v1/images/generations -H "Authorization: Bearer $TESTCARD_LIMITED_KEY" '
    '-H \'Content-Type: application/json\' --data-binary \'{"model": "m", "prompt": "a lighthouse", "n": 11}\''
)
_ENDS = {
    "limit.retry-after-honest": (FAIL, "a request 7 s after the refusal passes", "refused again with Retry-After 7"),
    "generate.n-honoured": (FAIL, "n = 2 pictures", "1 picture"),
    "error.authentication": (FAIL, "type `authentication_error`", f"type {HOSTILE}"),
    "transport.json-content-type": (WARN, "application/json", "text/plain; charset=utf-8"),
    "identity.request-id": (WARN, "the id that was sent", "another one"),
}  # fmt: skip
_KNOWN = "auth.challenge"
_UNJUDGED = {
    "error.empty-wallet": "no key with an empty wallet: set TESTCARD_EMPTY_WALLET_KEY",
    "limit.per-key": "no second key: set TESTCARD_SECOND_KEY",
    "limit.headers": "no second key: set TESTCARD_SECOND_KEY",
}


def requirement_results() -> tuple[RequirementResult, ...]:
    """The catalogue with a few failures, warnings, unjudged and unseen ones."""
    catalogue = schemas.requirements()
    assert {*_ENDS, *_UNJUDGED, _KNOWN} <= catalogue.keys()
    return tuple(_result(number, row) for number, row in enumerate(catalogue.values()))


def _result(number: int, row: schemas.Requirement) -> RequirementResult:
    outcome, expected, actual, reason = PASS, "", "", None
    if row.id in _ENDS:
        outcome, expected, actual = _ENDS[row.id]
    elif row.id == _KNOWN:
        outcome, expected, actual = FAIL, "WWW-Authenticate: Bearer", "no WWW-Authenticate"
        reason = "ticket 4711, until 2027-03-01"
    elif row.id in _UNJUDGED:
        outcome, reason = NOT_JUDGED, _UNJUDGED[row.id]
    elif row.occasion:
        outcome = NOT_OBSERVED
    elif row.area == "sdk":
        outcome, reason = NOT_APPLICABLE, "the target does not claim it"
    failed = outcome in (FAIL, WARN)
    return RequirementResult(
        id=row.id, level="SHOULD" if outcome == WARN else "MUST" if outcome == FAIL else row.level, outcome=outcome,
        known=row.id == _KNOWN, statement=row.statement, source=row.source, expected=expected, actual=actual,
        evidence=tuple(f"record {number % 40 + k}" for k in range(1, 3)) if failed else (),
        reproduce=_CURL if failed else "", reason=reason,
    )  # fmt: skip


def check_records(count: int = 118) -> Iterator[Record]:
    """The exchanges of a check, one in eight of them with a body worth keeping."""
    for number in range(1, count + 1):
        broken = (Finding("error.authentication", False, "a slug", HOSTILE),) if number % 8 == 0 else ()
        yield Record(
            number=number, case=f"n = {number}", phase="check", at=STARTED, method="POST",
            url="http://127.0.0.1:8600/v1/images/generations", key="main", request_id=f"tc-{number}",
            request_headers=(("Authorization", "[redacted]"), ("Content-Type", "application/json")),
            request_body='{"model":"m","prompt":"a lighthouse","n":11}', violates=("`n`: maximum 10, sent 11",),
            reproduce=_CURL, status=429 if number % 8 == 0 else 200,
            headers=(("content-type", "application/json"), ("retry-after", "7")),
            body=f'{{"error":{{"message":"{HOSTILE}"}}}}' if number % 8 == 0 else None, size_bytes=421,
            planned_s=number * 0.1, sent_s=number * 0.1, last_byte_s=number * 0.1 + 0.05,
            broken=broken,
        )  # fmt: skip


def load_records(count: int = 3000, rate: float = 100.0, seed: int = 1) -> Iterator[Record]:
    """Poisson arrivals with lognormal latencies, a stall in the middle, some 429s, 5xx and timeouts."""
    chance = random.Random(seed)
    planned = 20.0
    for number in range(1000, 1000 + count):
        planned += chance.expovariate(rate)
        latency = chance.lognormvariate(math.log(0.12), 0.45)
        share = (number - 1000) / count
        if 0.45 < share < 0.5:
            latency += (0.5 - share) / 0.05 * 1.5
        drawn = chance.random()
        outcome, status = "valid", 200
        if drawn < 0.004:
            outcome, status = "invalid", 200
        elif drawn < 0.02 or (share > 0.8 and drawn < 0.12):
            outcome, status, latency = "limited", 429, 0.003
        elif drawn < 0.03:
            outcome, status = "server-error", 503
        elif drawn < 0.034:
            outcome, status = "timeout", 0
        ended = None if outcome == "timeout" else planned + latency
        yield Record(
            number=number, case="load", phase="warmup" if share < 0.02 else "measured", at=STARTED, method="POST",
            url="http://127.0.0.1:8600/v1/images/generations", key="main", status=status or None,
            failure="timeout: no answer within 60 s" if outcome == "timeout" else None, planned_s=planned,
            sent_s=planned + 0.001, first_byte_s=ended and ended - 0.002, last_byte_s=ended,
            media_s=ended + 0.02 if ended and status == 200 else None, outcome=outcome, worker=1, size="1024x1024",
            images=int(status == 200), size_bytes=1_400_000 if status == 200 else 90,
        )  # fmt: skip


def load_summary(records: list[Record] | None = None) -> LoadSummary:
    """What load would say about `load_records`, near enough to look right beside the charts."""
    measured = [record for record in records or load_records() if record.phase == "measured"]
    outcomes = Counter(record.outcome or "" for record in measured)
    good = sorted(record.last_byte_s - record.planned_s for record in measured if record.last_byte_s and record.images)
    figures = {f"p{q:g}": good[int(q / 100 * len(good))] for q in (50, 90, 95, 99, 99.9)} | {"max": good[-1]}
    names = ("valid", "invalid", "limited", "refused", "server-error", "timeout", "broken")
    return LoadSummary(
        scenario="steady", validity="ok",
        arrivals={"planned": len(measured), "sent": len(measured), "dropped": 0, "answered": len(measured), "lost": 0},
        offered_rate_per_s=100.0, achieved_rate_per_s=99.6, duration_s=29.4, latency_s=figures,
        service_s={name: value - 0.001 for name, value in figures.items()},
        media_s={name: value + 0.02 for name, value in figures.items()},
        outcomes={name: outcomes[name] for name in names}, size="1024x1024", warmup=60,
        dispatch_lag_s={"p50": 0.001, "p99": 0.002, "max": 0.004},
        claims=(
            _bound("interactive", "kept", 0.95, 1.0, True, lower=0.4, estimate=0.5, upper=0.7, misses=40),
            _bound("latency-critical", "refuted", 0.99, 2.0, False, lower=4.0, estimate=4.5, upper=5.0, misses=180),
        ),
        slos=(
            _bound("p99.9<=900ms", "inconclusive", 0.999, 0.9, True, lower=0.6, estimate=1.2, upper=None, misses=90),
        ),
    )  # fmt: skip


def _bound(
    name: str, verdict: str, quantile: float, bound_s: float, asked: bool, *,
    lower: float, estimate: float | None, upper: float | None, misses: int,
) -> Bound:  # fmt: skip
    return Bound(
        id=name, verdict=verdict, quantile=quantile, bound_s=bound_s, confidence=0.95, asked=asked, samples=2940,
        misses=misses, size="1024x1024", lower_s=lower, estimate_s=estimate, upper_s=upper,
        statement=f"p{quantile * 100:g} within {bound_s} s", source="our reading of a marketing word",
        advice="59 more requests, about 6 minutes and $0.07, would decide" if verdict == "inconclusive" else "",
    )  # fmt: skip


def summary(*, requirements: bool = True, load: bool = True, ended: str = "complete") -> Summary:
    """A summary whose verdict is `broken`."""
    return Summary(
        testcard="0.1.0", command="run", verdict="broken", exit_code=1, target=TARGET, started_at=STARTED, seed=1,
        cost=Cost(requests=3118, images=2869, media_fetches=12, usd=3.4428),
        headline="3 of 72 requirements are broken, and 1 SLO is undecided.",
        advice=(
            "Fix limit.retry-after-honest first: clients that obey Retry-After are refused again.",
            "Set TESTCARD_SECOND_KEY and TESTCARD_EMPTY_WALLET_KEY to judge 3 more requirements.",
            "Load for 6 minutes more to decide p99.9<=900ms.",
        ),
        ended=ended, ended_at="2026-11-22T15:13:10Z",
        requirements=requirement_results() if requirements else None, load=load_summary() if load else None,
    )  # fmt: skip


def write_run(directory: Path, records: Iterator[Record] | None = None, *, footer: bool = True) -> Path:
    """Write records.jsonl as a run would; without records, those of a check and a load."""
    header = Header("0.1.0", "run", STARTED, TARGET, seed=1, requirements=tuple(schemas.requirements()))
    (directory / NAME).unlink(missing_ok=True)
    with RunWriter(directory, header, Redactor()) as writer:
        for record in records if records is not None else (*check_records(), *load_records()):
            writer.add(record)
        if footer:
            writer.end(Footer("complete", "2026-11-22T15:13:10Z", writer.records))
    return directory
