"""Limits and money: nothing is sent too early, and nothing is spent twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from testcard.core.budget import Budget
from testcard.core.errors import BudgetExhausted
from testcard.core.limit import Pacer, constraints, start_delay_s, wait_s
from testcard.core.outcome import EXIT_CODES, Signals, exit_code, verdict
from testcard.core.target import Limit

LIMITS = st.builds(
    Limit,
    st.integers(1, 6),
    st.integers(1, 40).map(float),
    st.none() | st.sampled_from([1.0, 2.0, 3.0]),
)


def keeps(limit: Limit, times: Sequence[float]) -> bool:
    """Brute force: in no window of any constraint are there more requests than it allows."""
    return all(
        sum(start <= time < start + window for time in times) <= requests
        for requests, window in constraints(limit)
        for start in times
    )


def paced(limit: Limit, wishes: Sequence[int]) -> list[float]:
    """A history that keeps the limit, from times at which somebody wished to send."""
    sent: list[float] = []
    for wish in sorted(wishes):
        now = max(float(wish), sent[-1] if sent else 0.0)
        sent.append(now + max(0.0, wait_s(limit, sent, now)))
    return sent


def test_a_burst_is_a_second_constraint() -> None:
    """600 in 60 s with a burst of 2: at most 200 in any 10 s too; without a burst, or in a short window, one."""
    assert constraints(Limit(600, 60.0, 2.0)) == ((600, 60.0), (200, 10.0))
    assert constraints(Limit(600, 60.0)) == ((600, 60.0),)
    assert constraints(Limit(10, 8.0, 2.0)) == ((10, 8.0),)


@given(LIMITS, st.lists(st.integers(0, 60), max_size=20), st.integers(0, 100))
@settings(deadline=None, max_examples=150, database=None)
def test_waiting_keeps_the_limit_and_no_longer_than_needed(limit: Limit, wishes: list[int], now: int) -> None:
    """After wait_s one more request keeps the limit; a second earlier it would not have."""
    sent = paced(limit, wishes)
    assert keeps(limit, sent)
    assume(not sent or now >= sent[-1])
    wait = wait_s(limit, sent, now)
    assert keeps(limit, [*sent, now + max(0.0, wait)])
    if wait >= 1:
        assert not keeps(limit, [*sent, now + wait - 1])


@given(LIMITS, st.lists(st.integers(0, 30), max_size=12), st.lists(st.integers(0, 60), min_size=1, max_size=12))
@settings(deadline=None, max_examples=150, database=None)
def test_a_plan_starts_as_early_as_the_limit_allows(limit: Limit, wishes: list[int], offsets: list[int]) -> None:
    """Against brute force over whole seconds: the delay is the smallest with which history and plan keep the limit."""
    sent, plan = paced(limit, wishes), paced(limit, offsets)
    now = sent[-1] if sent else 0.0
    smallest = next(d for d in range(200) if keeps(limit, [*sent, *(now + d + offset for offset in plan)]))
    assert start_delay_s(limit, sent, now, plan) == smallest


def test_the_pacer_lets_through_at_the_limit() -> None:
    """On a clock of its own: 3 in 10 s, so the fourth passes at 10 s; without a limit nobody waits."""
    now = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pacer = Pacer(Limit(3, 10.0), lambda: now[0], sleep)
    for _ in range(7):
        pacer.wait()
    assert pacer.sent == [0.0, 0.0, 0.0, 10.0, 10.0, 10.0, 20.0]
    assert slept == [10.0, 10.0]
    free = Pacer(None, lambda: 0.0, sleep)
    free.wait()
    assert slept == [10.0, 10.0]


def _at_once(count: int, call: Callable[[], None]) -> None:
    """Run a callable in so many threads at once."""
    start = threading.Barrier(count)

    def run() -> None:
        start.wait()
        call()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "it waits for what never comes"


def test_threads_do_not_overspend() -> None:
    """Of 16 threads that take 3 images each as long as they may, 33 times somebody may; never more at once."""
    budget = Budget(100)
    got: list[int] = []

    def spend() -> None:
        while True:
            try:
                budget.reserve(3)
            except BudgetExhausted:
                return
            got.append(budget.left or 0)
            budget.settle(3, 3)

    _at_once(16, spend)
    assert len(got) == 33
    assert min(got) >= 0
    assert (budget.spent, budget.left) == (99, 1)


def test_a_reservation_that_may_come_back_is_waited_for() -> None:
    """What another request has set aside is not spent yet: it may be refused, and bill nothing."""
    budget = Budget(1)
    budget.reserve(1)
    passed = threading.Event()

    def wait() -> None:
        budget.reserve(1)
        passed.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert not passed.wait(0.05)
    budget.settle(1, 0)
    assert passed.wait(30)
    thread.join()
    assert budget.left == 0


def test_threads_spend_exactly_what_was_billed() -> None:
    """Reserved and settled from many threads, every image is counted once."""
    budget = Budget(1000, price_usd=0.5)

    def spend() -> None:
        for _ in range(50):
            budget.reserve(2)
            budget.settle(2, 1)

    _at_once(8, spend)
    assert (budget.spent, budget.left, budget.usd) == (400, 600, 200.0)


@pytest.mark.parametrize(
    ("images", "usd", "price_usd", "most"),
    [
        (3, None, None, 3),
        (0, None, None, 0),
        (None, 0.01, 0.0012, 8),
        (None, 0.0012, 0.0012, 1),  # not one less for the sake of a rounding error
        (None, 0.3, 0.1, 3),
        (5, 0.3, 0.1, 3),
        (2, 0.3, 0.1, 2),
    ],
)
def test_a_budget_is_images_or_money(images: int | None, usd: float | None, price_usd: float | None, most: int) -> None:
    """The smaller of both bounds; the one image too many says what to raise."""
    budget = Budget(images, usd, price_usd)
    for _ in range(most):
        budget.reserve(1)
        budget.settle(1, 1)
    with pytest.raises(BudgetExhausted, match="--budget-images or --budget-usd"):
        budget.reserve(1)
    budget.reserve(0)


def test_a_budget_that_is_too_small_is_not_called_used_up() -> None:
    """Nothing was billed yet: the sentence names the budget as it was given, and what it takes."""
    with pytest.raises(BudgetExhausted, match=r"budget of 10 images is too small \(0 billed\): what is next needs 70"):
        Budget(10).reserve(70)
    with pytest.raises(BudgetExhausted, match=r"budget of \$0.001, 0 images at \$0.0012 each, is too small"):
        Budget(usd=0.001, price_usd=0.0012).reserve(1)


def test_without_a_bound_everything_is_allowed() -> None:
    """No budget and no price: no bound, and no sum in money."""
    budget = Budget()
    budget.reserve(10**6)
    assert (budget.left, budget.usd) == (None, None)


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        (Signals(), 0),
        (Signals(interrupted=True, error=True, unanswered=True, broken=True, inconclusive=True), 130),
        (Signals(error=True, unanswered=True, broken=True, inconclusive=True), 5),
        (Signals(unanswered=True, broken=True, inconclusive=True, unjudged_must=True, require_all=True), 3),
        (Signals(broken=True, inconclusive=True, unjudged_must=True, require_all=True), 1),
        (Signals(inconclusive=True, unjudged_must=True, require_all=True), 4),
        (Signals(unjudged_must=True, require_all=True), 3),
        (Signals(unjudged_must=True), 0),
        (Signals(require_all=True), 0),
    ],
)
def test_the_first_exit_code_that_applies_wins(signals: Signals, code: int) -> None:
    """130, 5, 3, 1, 4, 3 (--require-all), 0: the order of the interface."""
    assert exit_code(signals) == code
    assert verdict(code) == EXIT_CODES[code][0]
