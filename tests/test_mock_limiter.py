"""The mock's limiter, on a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testcard.core.target import Limit
from testcard.mock_server.limiter import RollingWindow

LIMITS = st.builds(
    Limit,
    requests=st.integers(1, 40),
    window_s=st.sampled_from([2.0, 12.0, 60.0]),
    burst=st.sampled_from([None, 1.0, 1.5, 2.0]),
)
# Sixteenths of a second: exact in binary, so that a moment and the sum that leads to it are the same number.
GAPS = st.lists(st.integers(0, 400).map(lambda sixteenths: sixteenths / 16), max_size=120)


@given(LIMITS, GAPS)
def test_the_promised_wait_is_exact(limit: Limit, gaps: list[float]) -> None:
    """A refused request is admitted when its wait has passed, and not a moment earlier."""
    window = RollingWindow(limit)
    now = 0.0
    for gap in gaps:
        now += gap
        admission = window.admit(now)
        if admission.admitted:
            continue
        assert admission.wait_s > 0
        assert not window.admit(now + admission.wait_s - 2**-10).admitted
        now += admission.wait_s
        assert window.admit(now).admitted
        assert int(admission.retry_after) >= 1
        assert int(admission.retry_after) >= admission.wait_s


@given(LIMITS, GAPS)
def test_no_window_holds_more_than_the_limit_and_its_burst(limit: Limit, gaps: list[float]) -> None:
    """Whatever the arrivals, no rolling window admits more than was declared."""
    window = RollingWindow(limit)
    now = 0.0
    admitted: list[float] = []
    surplus = 0.0
    if limit.burst is not None and limit.window_s > 10:
        surplus = (limit.burst - 1) * limit.rate_per_s * 10
    for gap in gaps:
        now += gap
        if window.admit(now).admitted:
            admitted.append(now)
            inside = [moment for moment in admitted if moment > now - limit.window_s]
            assert len(inside) < limit.requests + surplus + 1


@given(LIMITS, st.lists(st.integers(0, 40).map(lambda sixteenths: sixteenths / 16), max_size=80))
def test_headers_agree_with_each_other(limit: Limit, gaps: list[float]) -> None:
    """remaining lies between 0 and the limit, and reset between 0 and the window."""
    window = RollingWindow(limit)
    now = 0.0
    for gap in gaps:
        now += gap
        headers = {name: int(value) for name, value in window.admit(now).headers().items()}
        assert headers["x-ratelimit-limit-requests"] == limit.requests
        assert 0 <= headers["x-ratelimit-remaining-requests"] < limit.requests
        assert 0 <= headers["x-ratelimit-reset-requests"] <= limit.window_s


def test_a_burst_is_admitted_over_the_limit() -> None:
    """600 a minute with a burst of 2: at most 200 in 10 s beyond the 600, and at most 700 in the minute."""
    window = RollingWindow(Limit(600, 60.0, 2.0))
    assert all(window.admit(index / 12).admitted for index in range(600))
    # The last 10 s hold 119 of them, so 81 more make 200.
    assert [window.admit(50.0).admitted for _ in range(90)] == [True] * 81 + [False] * 9
    # Now the last 10 s hold 140, but the minute holds 681.
    assert [window.admit(55.0).admitted for _ in range(30)] == [True] * 19 + [False] * 11


def test_no_burst_means_none() -> None:
    """A burst of 1 and no burst admit exactly the limit."""
    for burst in (None, 1.0):
        window = RollingWindow(Limit(10, 60.0, burst))
        assert [window.admit(0.0).admitted for _ in range(12)] == [True] * 10 + [False] * 2


def test_a_refusal_does_not_count() -> None:
    """Requests that were refused do not keep the next one out."""
    window = RollingWindow(Limit(1, 60.0))
    assert window.admit(0.0).admitted
    assert not any(window.admit(moment).admitted for moment in (1.0, 30.0, 59.0))
    assert window.admit(60.0).admitted
