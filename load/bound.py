"""Claims and SLOs as bounds on what arrivals met, each with its verdict and what would decide an open one.

An arrival without a good answer (a 429, an error, an invalid picture) is infinitely late: a client that waits for
a picture waits on. An SLO speaks of the answer's last byte. A claim is about what a person sees: where a picture
comes as a URL, it counts when the picture is there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from testcard import schemas
from testcard.core.quantity import human_s
from testcard.core.summary import Bound
from testcard.core.target import Slo
from testcard.load.plan import LoadPlan
from testcard.load.slo import slo_name
from testcard.load.verdict import INCONCLUSIVE, Verdict, decide

_UNKNOWN = ("dropped", "lost")
_ANSWER = "planned to last byte"
_PICTURE = "planned to the last picture's last byte"


@dataclass(frozen=True, slots=True)
class Sample:
    """A measured arrival, as far as bounds care."""

    size: str | None
    outcome: str
    latency_s: float | None
    """To the last byte of the answer; None: none came."""
    seen_s: float | None
    """To the last byte of the last picture."""


def judge_slos(
    samples: Sequence[Sample], slos: Sequence[Slo], *, plan: LoadPlan, price_usd: float | None, invalid: str | None
) -> tuple[Bound, ...]:
    """The verdict on each SLO.

    Args:
        invalid: why nothing may be certified, or None.
    """
    return tuple(
        _bound(
            samples,
            slo,
            name=slo_name(slo) + (f" at {slo.size}" if slo.size else ""),
            asked=True,
            to_picture=False,
            statement="",
            source="",
            plan=plan,
            price_usd=price_usd,
            invalid=invalid,
        )
        for slo in slos
    )


def judge_claims(
    samples: Sequence[Sample],
    *,
    asked: Collection[str],
    plan: LoadPlan,
    price_usd: float | None,
    invalid: str | None,
) -> tuple[Bound, ...]:
    """The verdict on each claim; those not asked for are shown and do not count."""
    return tuple(
        _bound(
            samples,
            Slo(claim.quantile, claim.bound_s, claim.size, claim.confidence),
            name=claim.id,
            asked=claim.id in asked,
            to_picture=True,
            statement=claim.statement,
            source=f"“{claim.word}”, {claim.source}; the bound is our reading: {claim.bound_from}",
            plan=plan,
            price_usd=price_usd,
            invalid=invalid,
        )
        for claim in schemas.claims().values()
    )


def _bound(
    samples: Sequence[Sample],
    slo: Slo,
    *,
    name: str,
    asked: bool,
    to_picture: bool,
    statement: str,
    source: str,
    plan: LoadPlan,
    price_usd: float | None,
    invalid: str | None,
) -> Bound:
    own = [sample for sample in samples if slo.size is None or sample.size == slo.size]
    good = [sample for sample in own if sample.outcome == "valid"]
    spans = [sample.seen_s if to_picture else sample.latency_s for sample in good]
    latencies = [span for span in spans if span is not None]
    unknown = sum(1 for sample in own if sample.outcome in _UNKNOWN)
    verdict = decide(
        latencies,
        failed=len(own) - len(latencies) - unknown,
        unknown=unknown,
        q=slo.quantile,
        bound_s=slo.bound_s,
        confidence=slo.confidence,
    )
    apart = any(sample.seen_s != sample.latency_s for sample in good)
    word = verdict.word if invalid is None else INCONCLUSIVE
    return Bound(
        id=name,
        verdict=word,
        quantile=slo.quantile,
        bound_s=slo.bound_s,
        confidence=slo.confidence,
        asked=asked,
        samples=verdict.samples,
        misses=verdict.misses,
        span=_PICTURE if to_picture and apart else _ANSWER,
        size=slo.size,
        estimate_s=_rounded(verdict.estimate_s),
        lower_s=_rounded(verdict.lower_s),
        upper_s=_rounded(verdict.upper_s),
        statement=statement,
        source=source,
        advice=_advice(verdict, slo, plan, price_usd, invalid) if word == INCONCLUSIVE else "",
    )


def _advice(verdict: Verdict, slo: Slo, plan: LoadPlan, price_usd: float | None, invalid: str | None) -> str:
    """What would decide it."""
    if slo.size is not None and all(kind.size != slo.size for kind in plan.mix):
        return f"load at its size: --size {slo.size}"
    if invalid is not None:
        return invalid
    if verdict.unknown and verdict.further is not None and verdict.further <= verdict.unknown:
        return f"{verdict.unknown} arrivals were dropped or lost, and count against either verdict; run it again"
    if verdict.further is None:
        return "the share of late arrivals is too close to what is allowed; no reasonable number would decide"
    seconds = verdict.further / plan.rate_per_s
    cost = None if price_usd is None else verdict.further * plan.images / plan.count * price_usd
    money = "" if cost is None else f" and ${cost:.2f}"
    return f"{verdict.further} more requests, about {human_s(seconds)} at this rate{money}, would decide"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
