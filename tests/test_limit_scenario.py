"""The scenario `limit`: a key is driven over its limit, and what is found out stands in summary and report."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from testcard.core.limitlab import LimitSummary
from testcard.core.record import Finding, Record
from testcard.core.target import Limit
from testcard.load.limitlab import LimitPlan
from testcard.load.limitlab.findings import findings
from testcard.load.limitlab.plan import IDENTIFY, KEEP, SCOPE
from testcard.load.limitlab.reading import bodies_count, kept_waits, most_within, observed
from testcard.load.limitlab.replay import Read
from testcard.load.limitlab.standin import as_refusals, explains, stand_in
from testcard.load.limitlab.summary import LimitRecords
from testcard.load.ratelimit import Fitted, Honesty, Part, kinds

PLAN = LimitPlan("limited", requests=3, window_s=10.0, most_requests=18, most_s=120.0, most_at_once=3)


UNKNOWN = Fitted("unexplained", 0.0, (), None, None, None, 0)


def record(number: int, at: float, outcome: str, *, stage: str = IDENTIFY, wait: str | None = None) -> Record:
    """One request of an investigation, answered after 10 ms."""
    status = {"limited": 429, "refused": 400, "valid": 200}[outcome]
    return Record(
        number=number,
        case="",
        phase="measured",
        at="2026-11-22T12:00:00Z",
        method="POST",
        url="http://127.0.0.1/v1/images/generations",
        violates=() if outcome == "valid" else ("prompt: required",),
        status=status,
        headers=(("Retry-After", wait),) if wait is not None else (),
        planned_s=at,
        sent_s=at,
        last_byte_s=at + 0.01,
        outcome=outcome,
        stage=stage,
    )


def outcomes(records: list[Record], fitted: Fitted = UNKNOWN, dialect: str = "page") -> dict[str, bool]:
    """What the findings of an investigation say; False where one of several is broken."""
    shares = dict.fromkeys((kind.name for kind in kinds(PLAN.limit)), 0.0) | {fitted.kind: fitted.confidence}
    seen = Read(tuple(records), None, fitted, Honesty("not-judged", 0, 0), (), shares)
    said: dict[str, bool] = {}
    for one in findings(seen, PLAN, dialect):
        if isinstance(one, Finding):
            said[one.requirement] = one.held and said.get(one.requirement, True)
    return {name: held for name, held in said.items() if name != "limit.refused-at-once"}


FULL = [
    record(1, 0.0, "valid"),
    record(2, 0.1, "refused"),
    record(3, 0.1, "refused"),
    record(4, 0.2, "limited", wait="10"),
]


def summary_of(records: list[Record]) -> LimitSummary:
    """What stands in summary.json of them."""
    collected = LimitRecords()
    for one in records:
        collected.add(one)
    return collected.summary(PLAN, 1)


def waits(*after: tuple[float, str], wait: str = "4") -> list[Record]:
    """A refusal at 20 s, and what became of probes so many seconds after it."""
    refused = [record(10, 20.0, "refused", stage=KEEP), record(11, 20.0, "limited", stage=KEEP, wait=wait)]
    return refused + [
        record(12 + number, 20.01 + later, outcome, stage=KEEP) for number, (later, outcome) in enumerate(after)
    ]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        # refused once: that is all that enforcement asks for
        (FULL, {"limit.enforced": True}),
        # the second key passes meanwhile, or does not
        ([*FULL, record(5, 0.3, "refused", stage=SCOPE)], {"limit.enforced": True, "limit.per-key": True}),
        ([*FULL, record(5, 0.3, "limited", stage=SCOPE)], {"limit.enforced": True, "limit.per-key": False}),
        # never refused, with pictures far beyond the limit
        ([record(n, n * 0.1, "valid") for n in range(1, 15)], {"limit.enforced": False}),
        # never refused, with bodies that need not count
        ([record(n, n * 0.1, "refused") for n in range(1, 15)], {}),
        # one passed in the first half of a wait of 10 s, or in the second
        ([*FULL, record(5, 4.0, "refused")], {"limit.enforced": True, "limit.retry-after-tight": False}),
        ([*FULL, record(5, 6.0, "refused")], {"limit.enforced": True}),
        # a wait that was kept
        ([*FULL, *waits((5.0, "refused"))], {"limit.enforced": True, "limit.retry-after-honest": True}),
        # one that was too short
        ([*FULL, *waits((5.0, "limited"))], {"limit.enforced": True, "limit.retry-after-honest": False}),
        # half of it was enough: too long
        (
            [*FULL, *waits((3.0, "refused"), (7.0, "refused"), wait="6")],
            {"limit.enforced": True, "limit.retry-after-tight": False},
        ),
        # it was needed
        (
            [*FULL, *waits((3.0, "limited"), (7.0, "refused"), wait="6")],
            {"limit.enforced": True, "limit.retry-after-tight": True},
        ),
        # half of a few seconds is within what whole seconds can say
        ([*FULL, *waits((1.0, "refused"), (3.0, "refused"), wait="2")], {"limit.enforced": True}),
    ],
)
def test_findings_follow_from_the_records(records: list[Record], expected: dict[str, bool]) -> None:
    """Each requirement is judged by what its records show, and by nothing else."""
    assert outcomes(records) == expected


@pytest.mark.parametrize(
    ("limit", "confidence", "expected"),
    [
        (3.0, 0.99, {"limit.enforced": True}),  # as declared
        (6.0, 0.99, {"limit.enforced": True}),  # within what the probe of a check lets pass as well
        (9.0, 0.99, {"limit.enforced": False}),  # three times as many, window after window
        (2.0, 0.99, {"limit.granted": False, "limit.enforced": True}),  # fewer than declared
        (9.0, 0.8, {"limit.enforced": True}),  # not sure enough to accuse
    ],
)
def test_a_limiter_breaks_a_requirement_only_where_it_is_sure(
    limit: float, confidence: float, expected: dict[str, bool]
) -> None:
    """A window of the declared length that admits another number is named, and no doubtful one."""
    fitted = Fitted("sliding-log", confidence, (), Part(limit, 0.99), Part(10.1, 0.99), None, 30)
    assert outcomes(FULL, fitted) == expected


def test_a_refusal_in_between_must_not_postpone() -> None:
    """Where the wait held without a probe half way, and not with one, the refused probe has used up quota."""
    first = waits((5.0, "refused"))
    second = [
        record(20, 40.0, "limited", stage=KEEP, wait="4"),
        record(21, 42.01, "limited", stage=KEEP, wait="9"),
        record(22, 45.01, "limited", stage=KEEP, wait="6"),
    ]
    assert outcomes([*FULL, *first, *second])["limit.refusals-free"] is False
    assert len(kept_waits([*first, *second])) == 2


def bursts(*passed: int) -> list[Record]:
    """After each window's rest so many passed at once, and the next was refused."""
    found: list[Record] = []
    for number, count in enumerate(passed):
        at = 20.0 + 15.0 * number
        for _ in range(count):
            found.append(record(50 + len(found), at, "refused", stage=KEEP))
        found.append(record(50 + len(found), at, "limited", stage=KEEP, wait="10"))
    return found


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        # as many as declared, both times
        (bursts(3, 3), {"limit.enforced": True, "limit.exact": True, "limit.granted": True}),
        # one more, both times
        (bursts(4, 4), {"limit.enforced": True, "limit.exact": False, "limit.granted": True}),
        # one more, once: the middle of two windows may have been met
        (bursts(5, 3), {"limit.enforced": True, "limit.exact": True, "limit.granted": True}),
        # far more, both times
        (bursts(7, 8), {"limit.enforced": False}),
        # fewer: a limit may be enforced over shorter spans
        (bursts(2, 2), {"limit.enforced": True}),
        # more than any limiter admits of a whole window and what lies around it
        (bursts(10), {"limit.enforced": False}),
    ],
)
def test_what_passes_after_a_rest_is_counted(records: list[Record], expected: dict[str, bool]) -> None:
    """A limit is exact or not by what passes at once after a window's rest, more than once."""
    assert outcomes([*FULL, *records]) == expected


@pytest.mark.parametrize(
    ("passed", "accused"),
    [
        # each wave lets as many pass as have a place
        ((4, 4, 4, 4, 4), False),
        # a wave that is refused as a whole, when nothing else was under way
        ((4, 4, 4, 4, 0), True),
        # far more in one wave than in another
        ((9, 9, 1, 1, 1), True),
    ],
)
def test_a_cap_of_requests_under_way_is_no_limit_in_a_window(passed: tuple[int, ...], accused: bool) -> None:
    """Where a cap may be what refuses, more requests than declared may pass; where it cannot be, they may not."""
    records: list[Record] = []
    for number, count in enumerate(passed):
        outcomes_ = ["refused"] * count + ["limited"] * 2
        records += [record(10 * number + n, float(number), outcome) for n, outcome in enumerate(outcomes_)]
    cap = Fitted("concurrency", 0.9, (), Part(4.0, 0.9), None, None, 20)
    assert outcomes(records, cap).get("limit.enforced") is (False if accused else None)


def strange(number: int, at: float, status: int) -> Record:
    """A request that was answered with another status than before."""
    outcome = "server-error" if status >= 500 else "refused"
    return Record.from_json(record(number, at, "refused").to_json() | {"status": status, "outcome": outcome})


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        # twice something else than before
        ([*FULL[:3], strange(4, 0.2, 503), strange(5, 0.2, 503)], "a 503"),
        ([*FULL[:3], strange(4, 0.2, 403), strange(5, 0.2, 403)], "a 403"),
        # once: anything may happen once
        ([*FULL[:3], strange(4, 0.2, 503)], None),
        # another status for a wrong body
        ([*FULL[:3], strange(4, 0.2, 422), strange(5, 0.2, 422)], None),
        # a 429 came as well: nothing stands in for it
        ([*FULL, strange(5, 0.2, 503), strange(6, 0.2, 503)], None),
        # from the first request on: what such requests are answered with
        ([strange(1, 0.1, 503), strange(2, 0.2, 503), strange(3, 0.2, 503)], None),
    ],
)
def test_what_may_stand_in_for_a_429(records: list[Record], expected: str | None) -> None:
    """An answer stands in for the 429 where it came twice, not from the beginning, and no 429 came."""
    assert stand_in(records, 3) == expected


def test_an_outage_is_no_limiter() -> None:
    """What came to stay is not held against the limit: no request passed after it."""
    fitted = Fitted("fixed-first", 0.99, (), Part(3.0, 0.99), Part(10.0, 0.99), None, 3)
    dead = [*FULL[:3], *(strange(4 + n, 0.2 + n, 503) for n in range(6))]
    assert not explains(fitted, as_refusals(dead, "a 503"))
    assert explains(fitted, as_refusals([*dead, record(20, 11.0, "refused")], "a 503"))


def test_a_queue_is_told_from_a_limit_that_is_missing() -> None:
    """Requests that wait for their turn may have been admitted at any moment between: they break nothing."""
    slow = [replace(record(n, 0.1, "valid"), last_byte_s=4.0 * n) for n in range(1, 15)]
    assert outcomes(slow) == {}
    assert "queue" in summary_of(slow).notes[0]


def test_bodies_that_do_not_count_are_no_observations() -> None:
    """Where only pictures use the limit up, refused bodies are left out of what the limiter is identified by."""
    free = [record(n, n * 0.1, "refused") for n in range(1, 8)]
    pictures = [record(n, n * 0.1, "valid") for n in range(8, 11)]
    limited = Record.from_json(record(11, 1.2, "limited").to_json() | {"violates": []})
    assert bodies_count([*free, *pictures, limited]) is False
    assert sum(map(len, observed([*free, *pictures, limited]))) == 4
    assert bodies_count(FULL) is True
    assert bodies_count(free) is None


def test_the_most_within_a_span() -> None:
    """Requests are counted in every span of the window's length, not by the clock."""
    assert most_within([0.0, 9.0, 10.5, 11.0, 30.0], 10.0) == 3
    assert most_within([], 10.0) == 0


def test_the_plan_bounds_what_it_costs() -> None:
    """Six times the limit to identify it, and no more images than requests that may bring one."""
    assert PLAN.limit == Limit(3, 10.0)
    assert PLAN.images < PLAN.count


def test_a_target_without_a_limited_key_is_refused(tmp_path: Path) -> None:
    """Without a key that may be driven over its limit nothing is sent, and the sentence says what to declare."""
    target = tmp_path / "bare.toml"
    target.write_text('[target]\nname = "bare"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n', encoding="utf-8")
    command = [sys.executable, "-m", "testcard", "plan", "--target", str(target), "--scenario", "limit"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "[target.limited]" in done.stderr


def test_a_limit_summary_is_a_function_of_its_records() -> None:
    """The same records give the same summary, so that a run can be reported again."""
    seen = [*FULL, *waits((5.0, "refused"))]
    assert summary_of(seen) == summary_of(seen)
    assert summary_of(seen).retry_after.with_header == 2
