"""What every format says about a run, worked out once: the groups of requirements, the rows of figures, the words.

Pure functions of a Summary; the formats only lay out what stands here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from testcard.core.outcome import FAIL, LOAD_OUTCOMES, NOT_APPLICABLE, NOT_JUDGED, NOT_OBSERVED, PASS, WARN
from testcard.core.quantity import human_s
from testcard.core.summary import Bound, Cost, LoadSummary, RequirementResult, Summary

KNOWN = "known-failure"
"""Shown like an outcome: a failure that the target's file accepts until a date."""

WORDS: dict[str, str] = {
    FAIL: "broken",
    KNOWN: "known failures",
    WARN: "warned",
    NOT_JUDGED: "not judged",
    PASS: "kept",
    NOT_OBSERVED: "not observed",
    NOT_APPLICABLE: "not applicable",
}
"""How a requirement ended, the most urgent first."""

QUIET = (PASS, NOT_OBSERVED, NOT_APPLICABLE)
_URGENCY = {name: place for place, name in enumerate(WORDS)}

SIGNS: dict[str, str] = {
    FAIL: "✗",
    KNOWN: "⚑",
    WARN: "!",
    NOT_JUDGED: "?",
    PASS: "✓",
    NOT_OBSERVED: "·",
    NOT_APPLICABLE: "∅",
}
TILES: dict[str, str] = {
    "open": "",
    "closed": ", closed loop",
    "replace": ", not replaced",
    "crowd": ", single requests",
    "probe": "",
}
"""What stands beside a figure by the loop that it was measured in."""
BOUND_SIGNS: dict[str, str] = {"kept": "✓", "refuted": "✗", "inconclusive": "?"}

SPANS: dict[str, tuple[str, str]] = {
    "latency_s": ("latency", "planned → last byte, answers with a 2xx"),
    "media_s": ("with pictures", "planned → the last picture's last byte"),
    "service_s": ("service", "sent → last byte"),
    "first_byte_s": ("first byte", "planned → first byte"),
    "dispatch_lag_s": ("dispatch lag", "planned → sent: how late the generator itself was"),
}
"""The spans of a LoadSummary: what they are called, from where to where they run."""


@dataclass(frozen=True, slots=True)
class Group:
    """Requirements that were not judged for one reason, which says what to supply."""

    reason: str
    requirements: tuple[RequirementResult, ...]


def kind(result: RequirementResult) -> str:
    """The outcome, or KNOWN for a failure that does not count."""
    return KNOWN if result.known and result.outcome == FAIL else result.outcome


def of_kind(summary: Summary, *kinds: str) -> tuple[RequirementResult, ...]:
    """The requirements that ended so, MUST before SHOULD, otherwise in the order of the catalogue."""
    found = [result for result in summary.requirements or () if kind(result) in kinds]
    return tuple(sorted(found, key=lambda result: result.level != "MUST"))


def counts(results: Iterable[RequirementResult]) -> dict[str, int]:
    """How many ended how; kinds that did not occur are left out."""
    counted = Counter(kind(result) for result in results)
    return {name: counted[name] for name in WORDS if counted[name]}


def tally(counted: Mapping[str, int]) -> str:
    """`122 kept, 2 not observed`."""
    return ", ".join(f"{number} {_singular(name, number)}" for name, number in counted.items())


def _singular(name: str, number: int) -> str:
    return "known failure" if name == KNOWN and number == 1 else WORDS[name]


def by_reason(results: Iterable[RequirementResult]) -> tuple[Group, ...]:
    """Requirements that share a reason, together."""
    groups: dict[str, list[RequirementResult]] = {}
    for result in results:
        groups.setdefault(result.reason or "no reason was recorded", []).append(result)
    return tuple(Group(reason, tuple(members)) for reason, members in groups.items())


def by_area(results: Iterable[RequirementResult]) -> dict[str, tuple[RequirementResult, ...]]:
    """Requirements by the first part of their id; areas with the most urgent outcome first, then in the order
    of the catalogue.
    """
    areas: dict[str, list[RequirementResult]] = {}
    for result in results:
        areas.setdefault(result.id.partition(".")[0], []).append(result)

    def rank(area: str) -> int:
        return min((_URGENCY[kind(result)] for result in urgent(areas[area])), default=len(WORDS))

    return {area: tuple(areas[area]) for area in sorted(areas, key=rank)}


def urgent(results: Iterable[RequirementResult]) -> tuple[RequirementResult, ...]:
    """Those that somebody should look at, the most urgent first."""
    found = [result for result in results if kind(result) not in QUIET]
    return tuple(sorted(found, key=lambda result: _URGENCY[kind(result)]))


def quiet(results: Iterable[RequirementResult]) -> tuple[RequirementResult, ...]:
    """The others: kept, not observed, not applicable."""
    return tuple(result for result in results if kind(result) in QUIET)


def verdict_word(summary: Summary) -> str:
    """`KEPT`, `BROKEN`, `NOT JUDGED`, …"""
    return summary.verdict.replace("-", " ").upper()


def evidence(result: RequirementResult) -> str:
    """`records 91, 97`."""
    names = [name.removeprefix("record ") for name in result.evidence]
    return f"record{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""


def spent(cost: Cost) -> str:
    """`118 requests, 9 images, $0.0108`."""
    parts = [_plural(cost.requests, "request"), _plural(cost.images, "image")]
    if cost.media_fetches:
        parts.append(_plural(cost.media_fetches, "picture fetch", "picture fetches"))
    if cost.usd is not None:
        parts.append(f"${cost.usd:.4f}")
    return ", ".join(parts)


def span(load: LoadSummary, name: str) -> tuple[str, str]:
    """What a span is called, and from where to where it runs; under a closed loop it says so."""
    title, text = SPANS[name]
    if load.loop == "closed":
        text = f"closed loop: {text.replace('planned', 'asked')}"
    elif load.loop == "replace" and name != "dispatch_lag_s":
        text = f"of prompts that no other replaced in time: {text}"
    elif load.loop == "crowd":
        text = f"of single requests, repetitions too: {text}"
    return title, text


def spans(load: LoadSummary) -> dict[str, dict[str, float]]:
    """The quantiles of every span that was measured, in the order of SPANS; a search for a limit measures none."""
    if load.limit is not None:
        return {}
    return {name: values for name in SPANS if (values := getattr(load, name))}


def limit_tiles(load: LoadSummary) -> Iterator[tuple[str, str]]:
    """What was found out about a limit, at a glance: a figure and what it is of."""
    if load.limit is None:
        return
    found, told = load.limit.limiter, load.limit.retry_after
    kind = found.kind.replace("-", " ")
    if found.limit is not None and found.window_s is not None:
        yield f"{found.limit:.3g} in {human_s(found.window_s)}", kind
    else:
        yield kind, "limiter"
    if told.refusals:
        yield told.verdict.replace("-", " "), "Retry-After"


def load_outcomes(load: LoadSummary) -> dict[str, int]:
    """Every answered outcome, zeros too; `dropped` and `lost` where there are any."""
    counted = {**load.outcomes}
    for name in ("dropped", "lost"):
        if load.arrivals.get(name):
            counted[name] = load.arrivals[name]
    return {name: counted[name] for name in [*LOAD_OUTCOMES, *counted] if name in counted}


def bounds(load: LoadSummary) -> tuple[Bound, ...]:
    """Claims and SLOs, those that the verdict depends on first."""
    return tuple(sorted((*load.slos, *load.claims), key=lambda bound: not bound.asked))


def worth_a_line(bound: Bound) -> bool:
    """Whether it was asked for, or anything was measured that it speaks of."""
    return bound.asked or bound.samples > 0


def quantile_name(quantile: float) -> str:
    """`p95`, `p99.9`."""
    return f"p{quantile * 100:.6g}"


def demand(bound: Bound) -> str:
    """`p95 ≤ 1 s at 1024x1024`."""
    size = f" at {bound.size}" if bound.size else ""
    stage = f" in {bound.stage}" if bound.stage else ""
    return f"{quantile_name(bound.quantile)} ≤ {human_s(bound.bound_s)}{size}{stage}"


def measured(bound: Bound) -> str:
    """What was seen of the quantile, with the confidence of its bounds."""
    if not bound.samples:
        return "nothing was measured that it speaks of"
    sure = f"at {bound.confidence * 100:.4g} % confidence"
    low, high = bound.lower_s, bound.upper_s
    if bound.verdict == "kept" and high is not None:
        return f"at most {human_s(high)} {sure}"
    if bound.verdict == "refuted" and low is not None:
        return f"at least {human_s(low)} {sure}"
    if bound.estimate_s is None and low is None and high is None:
        return f"so many had no valid answer that {quantile_name(bound.quantile)} has no length"
    interval = (
        f"between {human_s(low) if low is not None else '0'} and {human_s(high) if high is not None else '∞'} {sure}"
    )
    return f"{human_s(bound.estimate_s)}, {interval}" if bound.estimate_s is not None else interval


def misses(bound: Bound) -> str:
    """`3 of 3,000 arrivals over the bound`."""
    if bound.samples_of == "glances":
        return f"{bound.misses:,} of {bound.samples:,} glances at the screen over the bound"
    return f"{bound.misses:,} of {bound.samples:,} arrivals over the bound or without a valid answer"


def load_title(load: LoadSummary) -> str:
    """`steady, 20/s poisson, 20 s, 1024x1024`."""
    if load.limit is not None:
        return f"{load.scenario}, {load.limit.key} key, {human_s(load.limit.span_s)}"
    parts = [load.scenario, f"{load.offered_rate_per_s:.4g}/s {_pace(load)}", human_s(load.duration_s)]
    if load.mix or load.size:
        parts.append(load.mix or load.size or "")
    if load.processes > 1:
        parts.append(f"{load.processes} processes")
    return ", ".join(parts)


def _pace(load: LoadSummary) -> str:
    if load.loop == "closed":
        return f"in a closed loop of {load.clients} clients, {human_s(load.think_s or 0.0)} to think"
    if load.loop == "replace":
        return "as one person types"
    if load.loop == "crowd":
        return "by clients who ask again"
    return load.arrivals_process + (" on average" if len({stage.rate_per_s for stage in load.stages}) > 1 else "")


def account(load: LoadSummary) -> str:
    """Where every arrival went."""
    left = {name: load.arrivals.get(name, 0) for name in ("planned", "sent", "answered", "dropped", "lost")}
    text = f"{left['planned']:,} planned, {left['sent']:,} sent, {left['answered']:,} answered"
    return text + "".join(f", {left[name]:,} {name}" for name in ("dropped", "lost") if left[name])


def target_line(summary: Summary) -> str:
    """`staging at https://staging.example.net/v1 · model · dialect page`."""
    target = summary.target
    parts = [f"{target.get('name') or 'unnamed'} at {target.get('base_url') or 'an unknown address'}"]
    if target.get("model"):
        parts.append(str(target["model"]))
    if target.get("dialect"):
        parts.append(f"dialect {target['dialect']}")
    return " · ".join(parts)


def _plural(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
