"""What a load says by stage, by size, of crowds, of a person who types: tables that each format lays out its own way.

Pure functions of a LoadSummary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from testcard.core.behaviour import Behaviour, Parallelism
from testcard.core.capacity import CapacityFigures
from testcard.core.certificate import Certificate
from testcard.core.crowd import CrowdFigures, CrowdSummary
from testcard.core.loadpart import PreviewFigures, SizeFigures, StageFigures
from testcard.core.quantity import human_s
from testcard.core.servertiming import ServerTiming
from testcard.core.summary import LoadSummary
from testcard.reports.limits import limit_tables
from testcard.reports.overview import BOUND_SIGNS
from testcard.reports.table import Table

_QUANTILES = ("p50", "p95", "p99")


def tables(load: LoadSummary, *, sources: bool = True) -> Iterator[Table]:
    """The tables that this load has.

    Args:
        sources: whether to name what the words of others rest on.
    """
    if load.capacity is not None:
        yield _capacity(load.capacity)
    yield from _inside(load.server_timing, load.behaviour)
    if load.certificate is not None:
        yield _certificate(load.certificate)
    if load.crowd is not None:
        yield from _crowds(load.crowd)
    if load.preview is not None:
        yield _preview(load.preview)
    if load.limit is not None:
        yield from limit_tables(load.limit, sources=sources)
    if len(load.stages) > 1:
        yield _stages(load)
    if load.by_size:
        yield _sizes(load)


def _capacity(found: CapacityFigures) -> Table:
    head = ("step", "rate", "verdict", "runs", "arrivals", "late", "429", "no good answer", "quantile", "")
    rows = tuple(
        (
            step.name,
            f"{step.rate_per_s:g}/s",
            _verdict(step.verdict),
            str(step.looks),
            f"{step.samples:,}",
            f"{step.late:,}",
            f"{step.limited:,}",
            f"{step.failed:,}",
            f"{step.slo.partition('<=')[0]} {human_s(step.estimate_s)}" if step.estimate_s is not None else "none",
            step.note,
        )
        for step in found.steps
    )
    told = [found.sentence]
    if found.gave_way is not None:
        told.append(f"What gave way: {GAVE_WAY[found.gave_way]}.")
    if found.estimate_per_s is not None:
        told.append(
            f"Fitted to the shares of late arrivals of all steps, the edge is at about {found.estimate_per_s:g}/s."
        )
    told.append(
        f"With {found.confidence:.0%} confidence none of these verdicts is wrong: each has {found.each_confidence:.2%}."
    )
    return Table("Capacity", " ".join(told), head, rows)


def _inside(timing: ServerTiming | None, behaviour: Behaviour | None) -> Iterator[Table]:
    if timing is not None:
        yield _server_timing(timing)
    if behaviour is not None:
        yield _behaviour(behaviour)
        if behaviour.parallelism is not None and behaviour.parallelism.ladder:
            yield _ladder(behaviour.parallelism)


def _server_timing(found: ServerTiming) -> Table:
    note = (
        f"its own word, in {found.answers:,} answers ({found.share:.1%} of those with a 2xx), judged by nobody; not "
        f"accounted for: service (sent → last byte) minus {found.compared}, answer by answer"
    )
    rows = (
        ("service, as we saw it", found.service_s, ""),
        *((metric.name, metric.seconds, f"{metric.share:.1%}") for metric in found.metrics),
        ("not accounted for", found.unaccounted_s, ""),
    )
    shown = ("p50", "p95", "max")
    return Table(
        "What the server says of its time",
        note,
        ("metric", *shown, "of the answers"),
        tuple((name, *(_signed(spans[q]) for q in shown if q in spans), share) for name, spans, share in rows),
    )


def _signed(span: float) -> str:
    return human_s(span) if span >= 0 else f"-{human_s(-span)}"


def _behaviour(found: Behaviour) -> Table:
    rows = []
    if found.parallelism is not None:
        rows.append(("at once", found.parallelism.sentence))
    if found.saturation is not None:
        rows.append(("saturation", found.saturation.sentence))
    if found.little is not None:
        word = "agrees" if found.little.agrees else "DISAGREES"
        told = (
            f"{found.little.counted:.4g} in flight on average by our clocks, {found.little.reckoned:.4g} by the records"
        )
        rows.append(("Little's law", f"{told}: {word} (a check on ourselves)"))
    return Table("Under load", "what shows of the server's inside, and of ourselves", ("", "seen"), tuple(rows))


def _ladder(found: Parallelism) -> Table:
    return Table(
        "By requests in flight",
        "sent → last byte, by how many were under way, itself included",
        ("in flight", "answers", "median"),
        tuple((str(rung.in_flight), f"{rung.answers:,}", human_s(rung.median_s)) for rung in found.ladder),
    )


def _certificate(found: Certificate) -> Table:
    lag = "" if found.dispatch_lag_p99_s is None else f", dispatch lag p99 {human_s(found.dispatch_lag_p99_s)}"
    word = "within" if found.agrees else "NOT within"
    note = (
        f"{found.machine}, {found.cores} cores{lag}; the same {found.arrivals:,} of {found.of:,} measured answers, by "
        f"their request ids; p50 to p99 {word} 1 % + 1 ms of what the mock knows; told: sent → last byte, true: "
        "head of the request → answer handed to the system"
    )
    head = ("quantile", *found.told_s)
    rows = (
        ("told", *(f"{span * 1000:.4g} ms" for span in found.told_s.values())),
        ("true", *(f"{span * 1000:.4g} ms" for span in found.true_s.values())),
        ("told minus true", *(f"{span * 1000:+.3g} ms" for span in found.off_s.values())),
    )
    return Table("Calibration certificate", note, head, rows)


GAVE_WAY = {
    "latency": "latency",
    "limit": "the limit, answers with a 429",
    "errors": "answers, which were no good ones",
    "generator": "the generator, not the server",
}
"""What ended a search."""


def _stages(load: LoadSummary) -> Table:
    asked = [bound.id for bound in (*load.slos, *load.claims) if bound.asked]
    shown = [name for name in asked if any(name in stage.verdicts for stage in load.stages)]
    pictures = any(stage.media_s for stage in load.stages)
    head = ("stage", "rate", "achieved", *_names(pictures), "outcomes", *shown)
    rows = tuple(
        (
            stage.name,
            _rate(stage),
            f"{stage.achieved_rate_per_s:.4g}/s",
            *_figures(stage, pictures),
            _outcomes(stage.outcomes, stage.arrivals),
            *(_verdict(stage.verdicts.get(name)) for name in shown),
        )
        for stage in load.stages
    )
    return Table("By stage", _note(load, pictures), head, rows)


def _sizes(load: LoadSummary) -> Table:
    pictures = any(size.media_s for size in load.by_size)
    rows = tuple(
        (
            size.size,
            f"{size.arrivals.get('planned', 0):,}",
            *_figures(size, pictures),
            _outcomes(size.outcomes, size.arrivals),
        )
        for size in load.by_size
    )
    return Table("By size", _note(load, pictures), ("size", "arrivals", *_names(pictures), "outcomes"), rows)


def _preview(seen: PreviewFigures) -> Table:
    wasted = (
        f"{seen.wasted:,}, {seen.wasted_images:,} images at most; {seen.billed_unseen:,} of them in answers with a 2xx"
    )
    return Table(
        "Preview: what a person saw who typed",
        f"over {human_s(seen.watched_s)}; age: from when the prompt of the picture on the screen was typed",
        ("", "figure"),
        (
            ("age of the picture on the screen", "  ".join(f"{q} {human_s(s)}" for q, s in seen.age_s.items())),
            ("prompts whose picture was ever shown", f"{seen.shown:,} of {seen.prompts:,} ({seen.shown_share:.1%})"),
            ("replaced before they were answered", f"{seen.cancelled:,}, cancelled; they stand in no other figure"),
            ("answered without a picture, dropped or lost", f"{seen.failed:,}"),
            ("generations asked for and never seen", wasted),
        ),
    )


def _crowds(seen: CrowdSummary) -> Iterator[Table]:
    limit = f"{seen.key} key, limit declared: {seen.limit}"
    yield Table(
        "Crowds: what their clients lived through",
        limit,
        ("policy", "in one sentence"),
        tuple((crowd.policy, crowd.sentence) for crowd in seen.crowds),
    )
    head = ("policy", "limiter", "served", "requests", "each", "herd", "mean", "median", "longest", "last served")
    yield Table(
        "Crowds, and what a limiter that keeps the limit would do to them",
        "served: clients with a picture in the end; each: requests for each of them; herd: the most repetitions in one "
        "second; mean, median and longest: of those served, from first asking to the picture; simulated pictures take "
        "no time",
        head,
        tuple(_crowd(crowd) for crowd in (*seen.crowds, *seen.forecast)),
    )


def _crowd(crowd: CrowdFigures) -> tuple[str, ...]:
    each = "none" if crowd.attempts_per_success is None else f"{crowd.attempts_per_success:.3g}"
    spans = (crowd.latency_mean_s, crowd.latency_p50_s, crowd.latency_max_s, crowd.last_served_s)
    return (
        crowd.policy,
        "the target's" if crowd.against is None else f"{crowd.against}, simulated",
        f"{crowd.succeeded:,} of {crowd.clients:,}",
        f"{crowd.attempts:,}",
        each,
        f"{crowd.peak_retries_per_s:,}",
        *("none" if span is None else human_s(span) for span in spans),
    )


def _note(load: LoadSummary, pictures: bool) -> str:
    begin = "asked, in a closed loop," if load.loop == "closed" else "planned"
    to_picture = "; picture p95: to the last picture's last byte" if pictures else ""
    return f"latency: {begin} → last byte, answers with a 2xx{to_picture}"


def _names(pictures: bool) -> tuple[str, ...]:
    return (*_QUANTILES, "picture p95") if pictures else _QUANTILES


def _figures(part: StageFigures | SizeFigures, pictures: bool) -> tuple[str, ...]:
    found = tuple(human_s(part.latency_s[q]) if q in part.latency_s else "none" for q in _QUANTILES)
    if not pictures:
        return found
    seen = (part.media_s or {}).get("p95")
    return (*found, "none" if seen is None else human_s(seen))


def _rate(stage: StageFigures) -> str:
    if stage.end_rate_per_s == stage.rate_per_s:
        return f"{stage.rate_per_s:.4g}/s"
    return f"{stage.rate_per_s:.4g}/s to {stage.end_rate_per_s:.4g}/s"


def _outcomes(outcomes: Mapping[str, int], arrivals: Mapping[str, int]) -> str:
    counted = {**outcomes, **{name: arrivals.get(name, 0) for name in ("dropped", "lost")}}
    return " · ".join(f"{name} {number:,}" for name, number in counted.items() if number) or "none"


def _verdict(word: str | None) -> str:
    return "not judged" if word is None else f"{BOUND_SIGNS.get(word, '?')} {word}"
