"""The scenario `limit`: a key is driven over its limit, and what is found out stands in summary and report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from testcard.core.record import Finding, Record
from testcard.core.target import Limit
from testcard.load.limitlab import LimitPlan
from testcard.load.limitlab.findings import findings
from testcard.load.limitlab.plan import IDENTIFY, KEEP, SCOPE
from testcard.load.limitlab.reading import bodies_count, kept_waits, most_within, observed
from testcard.load.limitlab.replay import Read
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
    once, again = LimitRecords(), LimitRecords()
    for one in [*FULL, *waits((5.0, "refused"))]:
        once.add(one)
        again.add(one)
    assert once.summary(PLAN, 1) == again.summary(PLAN, 1)
    assert once.summary(PLAN, 1).retry_after.with_header == 2
