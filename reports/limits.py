"""What a load says about the limit of a key: tables, the timeline, and promises beside true waits.

Pure functions of a LoadSummary.
"""

from __future__ import annotations

from collections.abc import Iterator

from testcard.core.limitlab import LimiterFigures, LimitSummary, RetryAfterFigures, WaitFigures
from testcard.core.quantity import human_s
from testcard.reports.chart import round_step, time_ticks
from testcard.reports.drawing import Layer, Point, Shape, Tick, draw
from testcard.reports.table import Table

_MOST_PROMISES = 40
_NONE = ("no-limit-seen", "unexplained")
"""Verdicts that name no kind of limiter."""
_SIGNED = {
    "honest": "honest",
    "early": "dishonest: it promises too early",
    "late": "too pessimistic",
    "missing": "missing",
    "unrelated": "unrelated to when a request passes",
    "not-judged": "not judged",
}
"""Verdicts on Retry-After in words."""


def limit_tables(limit: LimitSummary, *, sources: bool) -> Iterator[Table]:
    """The limiter beside the declaration, Retry-After, the waits that were kept, what clients make of it."""
    note = "found by when requests passed and when not; no header was believed"
    yield Table("Limit", note, ("of the key", "declared", "found"), tuple(_limiter_rows(limit)))
    yield Table(
        "Retry-After",
        "beside the next admission of the identified limiter; whole seconds are all that the header can say",
        ("", "figure"),
        tuple(_promise_rows(limit.retry_after)),
    )
    if limit.waits:
        rows = tuple((f"{human_s(wait.promised_s)} promised", _half(wait), wait.after) for wait in limit.waits)
        yield Table(
            "Waits that were kept",
            "each after the limit was used up: what became of a request half way, and of one a second after its end",
            ("wait", "half way", "a second after"),
            rows,
        )
    if limit.clients:
        clients = tuple((client.policy, client.reads, client.source)[: 2 + sources] for client in limit.clients)
        head = ("SDK", "what it does", "source")[: 2 + sources]
        yield Table("What SDKs make of the usual refusal", "the one with the median wait", head, clients)


def _limiter_rows(limit: LimitSummary) -> Iterator[tuple[str, ...]]:
    found, admission = limit.limiter, limit.admission
    requests, _, window = admission.declared.partition(" requests in ")
    yield "limiter", "", _kind(found)
    if found.limit is not None:
        yield "requests in a window", requests, f"{found.limit:.4g}, {_sure(found.limit_confidence)}"
    if found.window_s is not None:
        yield "window", window, f"{human_s(found.window_s)}, {_sure(found.window_confidence)}"
    if found.burst is not None:
        yield "burst", "", f"{found.burst:.4g}, {_sure(found.burst_confidence)}"
    yield "passed within the declared window", "", f"{admission.most_in_window:,} at most"
    yield "passed within a tenth of it", "", f"{admission.most_at_once:,} at most"
    yield "bodies that are refused use it up", "", _word(admission.refused_bodies_count)
    yield "refused requests use it up", "", _word(admission.refusals_count)
    if admission.refusal_s is not None and admission.refusal_max_s is not None:
        yield "a refusal takes", "", f"{human_s(admission.refusal_s)}, {human_s(admission.refusal_max_s)} at most"
    if admission.admitted_s is not None:
        yield "a picture takes meanwhile", "", human_s(admission.admitted_s)
    yield "scope", "per key", limit.scope.replace("-", " ")


def _kind(found: LimiterFigures) -> str:
    names = [found.kind, *(found.alternatives[:3] if found.confidence < 0.95 else ())]
    said = " or ".join(name.replace("-", " ") for name in names)
    return f"{said}, {_sure(found.confidence)}" if found.kind not in _NONE else found.kind.replace("-", " ")


def _sure(confidence: float | None) -> str:
    return f"{confidence or 0.0:.0%} sure"


def _word(answer: bool | None) -> str:
    return "not told" if answer is None else "yes" if answer else "no"


def _half(wait: WaitFigures) -> str:
    return wait.half_way.replace("-", " ")


def _promise_rows(told: RetryAfterFigures) -> Iterator[tuple[str, ...]]:
    yield "verdict", _SIGNED.get(told.verdict, told.verdict)
    yield "refusals", f"{told.refusals:,}"
    if told.forms:
        yield "form of the header", ", ".join(f"{form} in {count:,}" for form, count in told.forms.items())
    if told.kept_share is not None:
        yield "promises that hold", f"{told.kept_share:.0%}"
    if told.ratio is not None:
        yield "promised over true wait", f"{told.ratio:.3g}"
    if told.error_s is not None and told.spread_s is not None and told.worst_s is not None:
        off = f"{told.error_s:+.3g} s, spread {told.spread_s:.3g} s, at worst {told.worst_s:+.3g} s"
        yield "promised minus true wait", off
    if told.reset_disagrees is not None:
        yield "x-ratelimit-reset before Retry-After", f"{told.reset_disagrees:,} refusals"


def timeline(limit: LimitSummary, shape: Shape) -> str:
    """Requests that passed climb by one each; a refusal stays on their level, and its promise runs to its moment."""
    passed: list[Point] = []
    refused: list[Point] = []
    promises: list[Layer] = []
    level = 0
    for number, event in enumerate(limit.timeline):
        if event.admitted:
            level += 1
            passed.append(Point(event.at_s, level, f"passed at {event.at_s:.4g} s"))
            continue
        refused.append(Point(event.at_s, level, f"refused at {event.at_s:.4g} s"))
        last = number + 1 == len(limit.timeline) or limit.timeline[number + 1].admitted
        if event.promised_s is not None and event.promised_s > 0 and last and len(promises) < _MOST_PROMISES:
            due = event.at_s + event.promised_s
            told = f"promised for {due:.4g} s"
            promises.append(Layer("line-promise", [Point(event.at_s, level, told), Point(due, level, told)]))
    end = max((event.at_s for event in limit.timeline), default=1.0)
    kept = [layer for layer in promises if layer.points[1].x <= 1.2 * end] or promises[:1]
    last_s = max([end, *(layer.points[1].x for layer in kept)])
    step = max(1.0, round_step(level / 5))
    y_axis = [Tick(step * number, f"{step * number:g}") for number in range(int(level / step) + 2)]
    dots = [
        Layer("mark-passed", passed, dots=True, line=False),
        Layer("mark-refused", refused, dots=True, line=False),
    ]
    return draw("Admissions and refusals", [*kept, *dots], time_ticks(last_s, shape), y_axis, shape)


def promised_and_true(limit: LimitSummary, shape: Shape) -> str:
    """Each refusal's promise over the wait that was needed: on the line it is exact, below it too early."""
    points = [
        Point(one.wait_s, one.promised_s, f"{one.promised_s:g} s promised, {one.wait_s:.3g} s needed")
        for one in limit.promises
    ]
    longest = max((one.wait_s for one in limit.promises), default=1.0)
    highest = max([longest, *(one.promised_s for one in limit.promises)])
    step = round_step(highest / 5)
    y_axis = [Tick(step * number, human_s(step * number)) for number in range(int(highest / step) + 2)]
    layers = [
        Layer("line-exact", [Point(0.0, 0.0), Point(longest, longest)]),
        Layer("mark-promise", points, dots=True, line=False),
    ]
    return draw("Promised and true waits", layers, time_ticks(max(longest, 1e-3), shape), y_axis, shape)
