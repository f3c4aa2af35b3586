"""What a search found, as summary and reports show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from testcard.core.capacity import CapacityFigures, CapacityStep
from testcard.core.quantity import human_s
from testcard.core.summary import Bound
from testcard.core.target import Slo
from testcard.load.capacity.judging import Followed, Tried, estimate
from testcard.load.capacity.plan import PRECISION, SearchPlan
from testcard.load.capacity.search import ENDS, LATE
from testcard.load.slo import bound_of, slo_name
from testcard.load.verdict import INCONCLUSIVE, KEPT, REFUTED


def figures(followed: Followed, search: SearchPlan, slos: Sequence[Slo]) -> CapacityFigures:
    """The figures of a search that is over, however it ended."""
    ended = followed.ended or "stopped"
    passed, failed = _last(followed, KEPT), _last(followed, REFUTED)
    late = next((one.step for one in followed.tried if one.step.verdict == LATE), None)
    gave_way = _gave_way(failed.step) if failed else "generator" if late else None
    return CapacityFigures(
        ended=ended,
        sentence=_sentence(followed, search, slos),
        slos=tuple(slo_name(slo) + (f" at {slo.size}" if slo.size else "") for slo in slos),
        confidence=max(slo.confidence for slo in slos),
        each_confidence=search.confidence,
        passed_per_s=passed.step.rate_per_s if passed else None,
        failed_per_s=failed.step.rate_per_s if failed else None,
        estimate_per_s=estimate(followed.tried, slos),
        gave_way=gave_way,
        steps=tuple(one.step for one in followed.tried),
    )


def shown_bounds(followed: Followed, search: SearchPlan, slos: Sequence[Slo]) -> tuple[Bound, ...]:
    """The SLOs at the highest rate that passed; where none did, at the lowest that was tried."""
    if not followed.tried:
        advice = "the search ended before its first step did; run it again"
        return tuple(replace(bound_of(slo, search.confidence), advice=advice) for slo in slos)
    passed = _last(followed, KEPT)
    shown = passed or min(followed.tried, key=lambda one: one.step.rate_per_s)
    told = "the highest rate that passed" if passed else "the lowest rate that was tried"
    found = []
    for bound in shown.bounds:
        if shown.step.verdict == LATE:
            bound = replace(bound, verdict=INCONCLUSIVE, advice=shown.step.note)
        found.append(replace(bound, statement=f"at {shown.step.rate_per_s:g}/s, {told}"))
    return tuple(found)


def _last(followed: Followed, verdict: str) -> Tried | None:
    """The highest rate that passed, or the lowest that failed."""
    own = [one for one in followed.tried if one.step.verdict == verdict]
    rates = sorted(own, key=lambda one: one.step.rate_per_s, reverse=verdict == KEPT)
    return rates[0] if rates else None


def _gave_way(step: CapacityStep) -> str:
    counts = {"latency": step.late, "limit": step.limited, "errors": step.failed}
    return max(counts, key=lambda name: counts[name])


def _sentence(followed: Followed, search: SearchPlan, slos: Sequence[Slo]) -> str:
    what = " and ".join(slo_name(slo) for slo in slos)
    holds = "hold" if len(slos) > 1 else "holds"
    passed, failed = _last(followed, KEPT), _last(followed, REFUTED)
    ended = followed.ended or "stopped"
    if passed is None and failed is None:
        return f"Nothing is known of the rate at which {what} {holds}: {_why(followed, search, ended)}."
    told = f"{what} {holds} at {passed.step.rate_per_s:g}/s" if passed else f"{what} {holds} at no rate that was tried"
    if failed is None:
        return f"{told}; how much further is not known: {_why(followed, search, ended)}."
    told += (
        f"{', and no longer' if passed else '; it fails'} at {failed.step.rate_per_s:g}/s, where {_saw(failed.step)}"
    )
    if ended != "found" and (passed is None or failed.step.rate_per_s > passed.step.rate_per_s * PRECISION):
        told += f"; {_why(followed, search, ended)}"
    return told + "."


def _saw(step: CapacityStep) -> str:
    """What gave way, in numbers."""
    found = [
        f"{number:,} {word}"
        for number, word in ((step.late, "were late"), (step.limited, "got a 429"), (step.failed, "got no good answer"))
        if number
    ]
    quantile = f", {step.slo.partition('<=')[0]} {human_s(step.estimate_s)}" if step.estimate_s is not None else ""
    return f"of {step.samples:,} arrivals {', '.join(found) or 'too many were late'}{quantile}"


def _why(followed: Followed, search: SearchPlan, ended: str) -> str:
    last = followed.tried[-1].step if followed.tried else None
    if ended == "generator" and last is not None:
        return f"at {last.rate_per_s:g}/s {last.note}"
    if ended == "ceiling":
        return f"no higher rate than {search.ceiling_per_s:g}/s was tried, since {search.ceiling}"
    if ended == "undecided" and last is not None:
        rates = sorted(one.step.rate_per_s for one in followed.tried if one.step.verdict == INCONCLUSIVE)
        return f"undecided at {', '.join(f'{rate:g}' for rate in rates)}/s after as many arrivals as a step may have"
    return ENDS[ended]
