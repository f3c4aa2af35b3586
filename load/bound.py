"""Claims and SLOs as bounds on what arrivals met, each with its verdict and what would decide an open one.

An arrival without a good answer (a 429, an error, an invalid picture) is infinitely late: a client that waits for
a picture waits on. An SLO speaks of the answer's last byte. A claim is about what a person sees: where a picture
comes as a URL, it counts when the picture is there.

Where the rate changes there is no one quantile: each part of the load is judged apart, and the worst is the verdict.
Their confidences add up: c for all k parts together is 1 - (1 - c)/k for each (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from testcard import schemas
from testcard.core.quantity import human_s
from testcard.core.summary import Bound
from testcard.core.target import Slo
from testcard.load.independence import Dependence, dependence, discount
from testcard.load.plan import CLOSED, CROWD, MEASURED, OPEN, PROBE, REPLACE, LoadPlan
from testcard.load.preview import GLANCE_S
from testcard.load.slo import bound_of
from testcard.load.stage import Stage
from testcard.load.verdict import INCONCLUSIVE, KEPT, REFUTED, Verdict, decide

_UNKNOWN = ("dropped", "lost")
_ANSWER = "planned to last byte"
_PICTURE = "planned to the last picture's last byte"
_AGE = "age of the picture on the screen, at one glance every 2 s"
_URGENCY = {KEPT: 0, INCONCLUSIVE: 1, REFUTED: 2}


@dataclass(frozen=True, slots=True)
class Sample:
    """A measured arrival, as far as bounds care."""

    size: str | None
    outcome: str
    latency_s: float | None
    """To the last byte of the answer; None: none came."""
    seen_s: float | None
    """To the last byte of the last picture."""
    stage: str | None = None
    planned_s: float = 0.0
    """When it was due."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A bound with its verdict in every part of the load that was judged apart."""

    bound: Bound
    by_part: Mapping[str, str]
    """Verdicts; empty where the load is one whole."""


@dataclass(frozen=True, slots=True)
class Case:
    """What every verdict on a load depends on."""

    plan: LoadPlan
    price_usd: float | None = None
    """Of one image."""
    invalid: str | None = None
    """Why nothing may be certified."""


def judge_slos(samples: Sequence[Sample], slos: Sequence[Slo], case: Case) -> tuple[Judged, ...]:
    """The verdict on each SLO."""
    plan = case.plan
    if plan.loop == REPLACE:
        case = replace(case, invalid=case.invalid or _REPLACED)
    if plan.loop == CROWD:
        case = replace(case, invalid=case.invalid or _CROWD)
    if plan.loop == PROBE:
        case = replace(case, invalid=case.invalid or _PROBE)
    found = []
    for slo in slos:
        bound = bound_of(slo)
        if plan.loop == CLOSED:
            met = f"what {plan.clients} clients met who waited for each answer and {human_s(plan.think_s)} more"
            bound = replace(
                bound, id=f"{bound.id} in a closed loop", statement=f"{met}: not what independent clients meet"
            )
        found.append(_judged(samples, bound, case, to_picture=False))
    return tuple(found)


def judge_claims(
    samples: Sequence[Sample], asked: Collection[str], case: Case, glances: Sequence[float] = ()
) -> tuple[Judged, ...]:
    """The verdict on each claim; those not asked for are shown and do not count.

    Args:
        glances: under `replace`, the ages of the picture on the screen that glances saw.
    """
    found = []
    for claim in schemas.claims().values():
        bound = Bound(
            claim.id, "", claim.quantile, claim.bound_s, claim.confidence, asked=claim.id in asked,
            samples=0, misses=0, size=claim.size, statement=claim.statement,
            source=f"“{claim.word}”, {claim.source}; the bound is our reading: {claim.bound_from}",
        )  # fmt: skip
        if case.plan.search is not None:
            found.append(Judged(replace(bound, verdict=INCONCLUSIVE, span=_PICTURE, advice=_SEARCH), {}))
            continue
        if claim.measure == "freshness":
            found.append(_fresh(glances, bound, case))
            continue
        why = {OPEN: None, CLOSED: _CLOSED, REPLACE: _REPLACED, CROWD: _CROWD, PROBE: _PROBE}[case.plan.loop]
        found.append(_judged(samples, bound, replace(case, invalid=case.invalid or why), to_picture=True))
    return tuple(found)


_CLOSED = "it is about people who come when they like, and a closed loop asks less of a slow server: --scenario steady"
_SEARCH = "a search goes to where it breaks on purpose: --scenario steady at a rate of yours"
_CROWD = "a crowd goes over the limit on purpose, so its latencies say nothing about others: --scenario steady"
_PROBE = "its requests look for the limit, so their latencies say nothing about others: --scenario steady"
_REPLACED = "a preview cancels what is slow, so its latencies are those of the quick answers: --scenario steady"


def _judged(samples: Sequence[Sample], bound: Bound, case: Case, *, to_picture: bool) -> Judged:
    """The verdict, part by part where there are several; the worst one counts."""
    parts = _parts(case.plan)
    whole = len(parts) == 1 and all(stage.judged_as for stage in _measured(case.plan))
    if whole or not parts:
        why = None if parts else "no stage of the scenario is judged"
        case = replace(case, invalid=case.invalid or why)
        return Judged(_verdict(samples, bound, case, None, to_picture=to_picture)[0], {})
    shared = replace(bound, confidence=round(1 - (1 - bound.confidence) / len(parts), 9))
    found: dict[str, tuple[Bound, float, int | None]] = {}
    for part, stages in parts.items():
        own = [sample for sample in samples if sample.stage in stages]
        found[part] = _verdict(own, replace(shared, stage=part), case, part, to_picture=to_picture)
    worst, _, _ = max(found.values(), key=lambda one: (_URGENCY[one[0].verdict], one[1]))
    return Judged(worst, {part: bound.verdict for part, (bound, _, _) in found.items()})


def _parts(plan: LoadPlan) -> dict[str, set[str]]:
    """The stages that are judged together, by the name under which they are."""
    found: dict[str, set[str]] = {}
    for stage in _measured(plan):
        if stage.judged_as:
            found.setdefault(stage.judged_as, set()).add(stage.name)
    return found


def _measured(plan: LoadPlan) -> list[Stage]:
    return [stage for stage in plan.stages if stage.phase == MEASURED]


def verdict_on(samples: Sequence[Sample], bound: Bound, case: Case) -> tuple[Bound, int | None]:
    """The bound with its verdict on samples that are one whole; and how many more would decide it."""
    found, _, further = _verdict(samples, bound, case, None, to_picture=False)
    return found, further


def _verdict(
    samples: Sequence[Sample], bound: Bound, case: Case, part: str | None, *, to_picture: bool
) -> tuple[Bound, float, int | None]:
    """The verdict on one part, how bad it is among parts with the same one, and how many samples would decide."""
    own = [sample for sample in samples if bound.size is None or sample.size == bound.size]
    good = [sample for sample in own if sample.outcome == "valid"]
    spans = [sample.seen_s if to_picture else sample.latency_s for sample in good]
    latencies = [span for span in spans if span is not None]
    unknown = sum(1 for sample in own if sample.outcome in _UNKNOWN)
    verdict = decide(
        latencies,
        failed=len(own) - len(latencies) - unknown,
        unknown=unknown,
        q=bound.quantile,
        bound_s=bound.bound_s,
        confidence=bound.confidence,
    )
    found = None
    if case.invalid is None:
        found = dependence(_in_order(own, to_picture=to_picture), q=bound.quantile, bound_s=bound.bound_s)
    verdict = discount(verdict, found, q=bound.quantile, confidence=bound.confidence)
    apart = any(sample.seen_s != sample.latency_s for sample in good)
    span = _PICTURE if to_picture and apart else _ANSWER
    if case.plan.loop == CLOSED:
        span = span.replace("planned", "asked, in a closed loop,")
    wrong_size = bound.size is not None and all(kind.size != bound.size for kind in case.plan.mix)
    longer = _longer_s(verdict, case.plan, bound.size, part)
    advice = f"load at its size: --size {bound.size}" if wrong_size else _advice(verdict, case, longer, part)
    if found is not None:
        bound = replace(
            bound,
            autocorrelation=round(found.autocorrelation, 4),
            effective_samples=_worth(found, verdict),
        )
        advice = _together(advice, found, verdict)
    filled = _filled(replace(bound, span=span), verdict, case, advice)
    share = verdict.misses / max(1, verdict.samples)
    badness = {KEPT: filled.upper_s or 0.0, REFUTED: share, INCONCLUSIVE: longer}[filled.verdict]
    return filled, badness, verdict.further


def _in_order(samples: Sequence[Sample], *, to_picture: bool) -> list[float]:
    """Their spans in the order of arrival; infinite where nothing good came of one."""
    found = []
    for sample in sorted(samples, key=lambda sample: sample.planned_s):
        span = sample.seen_s if to_picture else sample.latency_s
        found.append(math.inf if span is None or sample.outcome != "valid" else span)
    return found


def _together(advice: str, found: Dependence, verdict: Verdict) -> str:
    """The advice of a verdict that is open since arrivals were late together."""
    if not found.near or verdict.unknown:
        return advice
    return f"{advice}; {verdict.samples} arrivals, late together, are worth {_worth(found, verdict)} independent ones"


def _worth(found: Dependence, verdict: Verdict) -> int:
    return max(1, math.floor(verdict.samples * found.worth))


def _fresh(glances: Sequence[float], bound: Bound, case: Case) -> Judged:
    """The verdict on the age of the picture on the screen."""
    fits = case.plan.loop == REPLACE and all(kind.size == bound.size for kind in case.plan.mix)
    verdict = decide(
        glances if fits else (),
        failed=0, unknown=0, q=bound.quantile, bound_s=bound.bound_s, confidence=bound.confidence,
    )  # fmt: skip
    if not fits:
        advice = f"let somebody type: --scenario preview --size {bound.size}"
    elif case.invalid is not None or verdict.further is None:
        advice = case.invalid or _TOO_CLOSE
    else:
        longer = verdict.further * GLANCE_S
        advice = (
            f"{verdict.further} more glances, {human_s(longer)} more of --duration{_money(case, longer)}, would decide"
        )
    return Judged(_filled(replace(bound, span=_AGE, samples_of="glances"), verdict, case, advice), {})


def _filled(bound: Bound, verdict: Verdict, case: Case, advice: str) -> Bound:
    word = verdict.word if case.invalid is None else INCONCLUSIVE
    return replace(
        bound,
        verdict=word,
        samples=verdict.samples,
        misses=verdict.misses,
        estimate_s=_rounded(verdict.estimate_s),
        lower_s=_rounded(verdict.lower_s),
        upper_s=_rounded(verdict.upper_s),
        advice=advice if word == INCONCLUSIVE else "",
    )


_TOO_CLOSE = "the share of late arrivals is too close to what is allowed; no reasonable number would decide"


def _longer_s(verdict: Verdict, plan: LoadPlan, size: str | None, part: str | None) -> float:
    """How much more of --duration would decide; infinite where none would."""
    if verdict.further is None:
        return math.inf
    own = sum(
        plan.arrivals_of(index, size)
        for index, stage in enumerate(plan.stages)
        if stage.phase == MEASURED and part in (None, stage.judged_as)
    )
    if plan.loop != OPEN:
        own = verdict.samples  # its plan is only the most that there can be
    return plan.duration_s * verdict.further / max(1, own)


def _advice(verdict: Verdict, case: Case, longer_s: float, part: str | None) -> str:
    """What would decide it."""
    further = verdict.further
    if case.invalid is not None:
        return case.invalid
    if verdict.unknown and further is not None and further <= verdict.unknown:
        return f"{verdict.unknown} arrivals were dropped or lost, and count against either verdict; run it again"
    if further is None:
        return _TOO_CLOSE
    cost = _money(case, longer_s)
    if part is None:
        return f"{further} more requests, about {human_s(longer_s)} at this rate{cost}, would decide"
    return f"{further} more requests in {part}, about {human_s(longer_s)} more of --duration{cost}, would decide"


def _money(case: Case, longer_s: float) -> str:
    """What it costs to load for so much longer."""
    plan = case.plan
    if case.price_usd is None:
        return ""
    images = sum(plan.images_in(index) for index, stage in enumerate(plan.stages) if stage.phase == MEASURED)
    return f" and ${longer_s / plan.duration_s * images * case.price_usd:.2f}"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
