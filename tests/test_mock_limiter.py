"""The mock's limiters, on a clock of the test's own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testcard.core.errors import UsageError
from testcard.core.target import Limit
from testcard.mock_server import MockSettings
from testcard.mock_server.gateway import Gateway
from testcard.mock_server.limiter import KINDS, Admission, Limiter, Shape, limiter
from testcard.mock_server.message import GENERATIONS, Answer
from testcard.mock_server.promise import promise

TIMED = tuple(kind for kind in KINDS if kind != "concurrency")
LIMITS = st.builds(
    Limit,
    requests=st.integers(1, 40),
    window_s=st.sampled_from([2.0, 12.0, 60.0]),
    burst=st.sampled_from([None, 1.0, 1.5, 2.0]),
)
# Sixteenths of a second: exact in binary, so that a moment and the sum that leads to it are the same number.
GAPS = st.lists(st.integers(0, 400).map(lambda sixteenths: sixteenths / 16), max_size=120)
SHAPES = st.builds(
    Shape,
    kind=st.sampled_from(TIMED),
    bucket=st.sampled_from([None, 1, 3]),
    tier=st.sampled_from([None, Limit(2, 1.0), Limit(3, 10.0)]),
)

# One kind a row: limit, shape, and what becomes of requests at these seconds. + admitted, - refused.
BY_HAND: dict[str, tuple[Limit, Shape, str]] = {
    # Windows 0-10, 10-20, …; the boundary itself belongs to the next one.
    "fixed-clock": (Limit(2, 10), Shape("fixed-clock"), "8+ 9+ 9.9- 10+ 10+ 19.9- 20+"),
    # The first window is 8-18; the next begins with the request at 25 and lasts until 35.
    "fixed-first": (Limit(2, 10), Shape("fixed-first"), "8+ 9+ 10- 17.9- 18+ 18+ 18- 27.9- 35+ 36+ 44.9- 45+"),
    # Each place comes back 10 s after it was taken; the refusals at 9 and 11 took none.
    "sliding-log": (Limit(2, 10), Shape("sliding-log"), "0+ 5+ 9- 10+ 11- 14.9- 15+ 19- 20+"),
    # At 10 the four of 0-10 weigh 4. At 12.5 they weigh 3: one fits. At 15 they weigh 2, and one is counted: one more.
    "sliding-counter": (Limit(4, 10), Shape("sliding-counter"), "1+ 1+ 1+ 1+ 1- 10- 12.4- 12.5+ 14.9- 15+ 15- 30+"),
    # At 20.1 one weighs 0.99: another fits. At 29 it weighs 0.1: too much beside two. At 41 nothing is in sight.
    "sliding-counter, later": (Limit(2, 10), Shape("sliding-counter"), "9+ 9+ 9- 14.9- 15+ 20.1+ 29- 41+ 41+ 45-"),
    # Full: 4 tokens. Then one every 2.5 s; at 30 it is full again.
    "token-bucket": (Limit(4, 10), Shape("token-bucket"), "0+ 0+ 0+ 0+ 0- 2.4- 2.5+ 2.6- 5+ 30+ 30+ 30+ 30+ 30-"),
    # A bucket of one token is a pace: one request every 2.5 s.
    "token-bucket, a pace": (Limit(4, 10), Shape("token-bucket", bucket=1), "0+ 1- 2.4- 2.5+ 4.9- 5+ 20+ 20-"),
    # 3 in 2 s and 4 in 12 s: at 1 the short tier refuses, at 4 the long one, until the first leaves it.
    "two-tier": (Limit(4, 12), Shape("two-tier", tier=Limit(3, 2)), "0+ 0+ 0+ 1- 2+ 4- 11.9- 12+ 12+ 12+ 12- 13- 14+"),
    # 12 a minute and 1.5 times 2 in 10 s. 13 in a window, with the surplus of one burst.
    "rolling": (Limit(12, 60, 1.5), Shape("rolling"), "0+ 1+ 2+ 3+ 4+ 5+ 6+ 7+ 8+ 9+ 10+ 11+ 12- 18- 19+ 59- 60+"),
    # A burst adds its surplus to what a fixed window holds: 12 and 1.
    "fixed, with a burst": (Limit(12, 60, 1.5), Shape("fixed-clock"), "0+ 0+ 0+ 0+ 0+ 0+ 1+ 1+ 1+ 1+ 1+ 1+ 1+ 1- 60+"),
}  # fmt: skip


def replay(found: Limiter, times: Sequence[float]) -> list[Admission]:
    return [found.admit(moment) for moment in times]


@pytest.mark.parametrize("name", BY_HAND)
def test_a_kind_admits_what_was_worked_out_by_hand(name: str) -> None:
    """Every kind counts as its description says, to a tenth of a second."""
    limit, shape, written = BY_HAND[name]
    rows = [(float(word[:-1]), word[-1] == "+") for word in written.split()]
    said = replay(limiter(limit, shape), [moment for moment, _ in rows])
    assert [(moment, found.admitted) for (moment, _), found in zip(rows, said, strict=True)] == rows


@settings(deadline=None)
@given(LIMITS, SHAPES, GAPS)
def test_the_promised_wait_is_exact(limit: Limit, shape: Shape, gaps: list[float]) -> None:
    """Whatever the kind, a refused request is admitted when its wait has passed, and not a moment earlier."""
    found = limiter(limit, shape)
    now = 0.0
    for gap in gaps:
        now += gap
        admission = found.admit(now)
        if admission.admitted:
            continue
        assert admission.wait_s > 0
        assert not found.admit(now + admission.wait_s - 2**-10).admitted
        assert int(admission.retry_after) >= max(1, admission.wait_s - 1e-3)
        assert int(admission.retry_after) < max(1, admission.wait_s) + 1
        now += admission.wait_s
        assert found.admit(now).admitted


@settings(deadline=None)
@given(LIMITS, SHAPES, st.lists(st.integers(0, 40).map(lambda sixteenths: sixteenths / 16), max_size=80))
def test_headers_agree_with_what_happens(limit: Limit, shape: Shape, gaps: list[float]) -> None:
    """Nothing is refused while requests remain; remaining and reset stay within what the kind can have."""
    found = limiter(limit, shape)
    now = 0.0
    remaining = 1
    for gap in gaps:
        now += gap
        admission = found.admit(now)
        headers = {name: int(value) for name, value in admission.headers().items()}
        assert admission.admitted or not (remaining and gap == 0)
        remaining = headers["x-ratelimit-remaining-requests"]
        assert headers["x-ratelimit-limit-requests"] == limit.requests
        assert 0 <= remaining <= limit.requests - (limit.burst in (None, 1.0))
        # A counter sees its requests for two windows; a bucket that a burst made larger fills for longer than one.
        assert 0 <= headers["x-ratelimit-reset-requests"] <= 2 * limit.window_s
        assert remaining == 0 or admission.admitted


@settings(deadline=None)
@given(LIMITS, st.sampled_from(["rolling", "sliding-log", "two-tier"]), GAPS)
def test_no_window_holds_more_than_the_limit_and_its_burst(limit: Limit, kind: str, gaps: list[float]) -> None:
    """Whatever the arrivals, no rolling window of these kinds admits more than was declared."""
    assert most_in_a_window(limiter(limit, Shape(kind)), limit.window_s, gaps) < most(limit) + 1


@settings(deadline=None)
@given(LIMITS, st.sampled_from(["fixed-clock", "fixed-first", "token-bucket", "sliding-counter"]), GAPS)
def test_no_window_holds_more_than_two_of_the_limit(limit: Limit, kind: str, gaps: list[float]) -> None:
    """Kinds that allow more over a boundary, or out of a full bucket, never admit more than twice the limit."""
    assert most_in_a_window(limiter(limit, Shape(kind)), limit.window_s, gaps) < 2 * (most(limit) + 1)


def most(limit: Limit) -> float:
    if limit.burst is None or limit.window_s <= 10:
        return limit.requests
    return limit.requests + (limit.burst - 1) * limit.rate_per_s * 10


def most_in_a_window(found: Limiter, window_s: float, gaps: Sequence[float]) -> int:
    now, highest = 0.0, 0
    admitted: list[float] = []
    for gap in gaps:
        now += gap
        if found.admit(now).admitted:
            admitted.append(now)
            highest = max(highest, sum(moment > now - window_s for moment in admitted))
    return highest


@settings(deadline=None)
@given(LIMITS, SHAPES, GAPS)
def test_a_refusal_does_not_count(limit: Limit, shape: Shape, gaps: list[float]) -> None:
    """Whatever the kind, what was refused changes nothing for those who come later."""
    times = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    said = dict(enumerate(replay(limiter(limit, shape), times)))
    passed = [index for index, admission in said.items() if admission.admitted]
    alone = replay(limiter(limit, shape), [times[index] for index in passed])
    assert all(admission.admitted for admission in alone)
    assert alone == [said[index] for index in passed]


def test_a_burst_is_admitted_over_the_limit() -> None:
    """600 a minute with a burst of 2: at most 200 in 10 s beyond the 600, and at most 700 in the minute."""
    window = limiter(Limit(600, 60.0, 2.0), Shape("rolling"))
    assert all(window.admit(index / 12).admitted for index in range(600))
    # The last 10 s hold 119 of them, so 81 more make 200.
    assert [window.admit(50.0).admitted for _ in range(90)] == [True] * 81 + [False] * 9
    # Now the last 10 s hold 140, but the minute holds 681.
    assert [window.admit(55.0).admitted for _ in range(30)] == [True] * 19 + [False] * 11


def test_no_burst_means_none() -> None:
    """A burst of 1 and no burst admit exactly the limit."""
    for burst in (None, 1.0):
        window = limiter(Limit(10, 60.0, burst), Shape("rolling"))
        assert [window.admit(0.0).admitted for _ in range(12)] == [True] * 10 + [False] * 2


def test_a_cap_counts_what_is_under_way() -> None:
    """A place comes back when its request has been answered, whatever the clock says."""
    cap = limiter(Limit(2), Shape("concurrency"))
    assert [cap.admit(moment).admitted for moment in (0, 0, 0, 1000)] == [True, True, False, False]
    cap.release()
    assert cap.admit(1000).headers()["x-ratelimit-remaining-requests"] == "0"


def test_the_gateway_gives_back_the_places_of_a_cap() -> None:
    """With two places of three requests at once one is refused, and the next two are served."""
    known = promise()
    gateway = Gateway(MockSettings(limiter="concurrency", rpm=2, latency_median_s=0.01))
    headers = {"authorization": f"Bearer {known.keys['main']}", "content-type": "application/json"}
    body = json.dumps({"model": known.model, "prompt": "a harbour", "size": "512x512"}).encode()

    async def ask(count: int) -> list[Answer]:
        calls = [gateway.call("POST", GENERATIONS, headers, body, "http://127.0.0.1:1") for _ in range(count)]
        return await asyncio.gather(*map(gateway.answer, calls))

    assert sorted(answer.status for answer in asyncio.run(ask(3))) == [200, 200, 429]
    assert [answer.status for answer in asyncio.run(ask(2))] == [200, 200]


@pytest.mark.parametrize(
    "wrong",
    [
        {"limiter": "leaky"},
        {"bucket": 3},  # of a rolling window
        {"limiter": "token-bucket", "bucket": 0},
        {"tier": (3, 10.0)},
        {"limiter": "two-tier", "tier": (0, 10.0)},
        {"limiter": "two-tier", "tier": (1, 0.0)},
    ],
)
def test_options_without_a_meaning_are_refused(wrong: dict[str, object]) -> None:
    """A kind that does not exist, and what a kind does not have, are named before anything is served."""
    with pytest.raises(UsageError):
        MockSettings(**wrong)  # type: ignore[arg-type]  # the row names fields of it


@pytest.mark.parametrize("kind", ["fixed-clock", "sliding-counter"])
def test_windows_of_the_clock_follow_the_wall_clock(kind: str) -> None:
    """A server without a clock of the test's own aligns its windows to whole multiples of seconds since 1970."""
    clock = Gateway(MockSettings(limiter=kind))._clock
    assert abs(clock() - time.time()) < 5
