"""Quantiles, their bounds and the verdicts that rest on them."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest

from testcard.core.errors import UsageError
from testcard.core.quantile import at_most, lower_rank, quantile, quantiles, rank, upper_rank
from testcard.core.target import Slo
from testcard.load import parse_slo, slo_name
from testcard.load.verdict import INCONCLUSIVE, KEPT, REFUTED, certifies, decide, further_samples, refutes


@pytest.mark.parametrize(
    ("n", "q", "expected"),
    [
        (1, 0.5, 1),
        (10, 0.5, 5),
        (10, 0.9, 9),
        (100, 0.07, 7),  # 100 * 0.07 is 7.000000000000001 in floating point
        (100, 0.99, 99),
        (1000, 0.999, 999),
        (999, 0.999, 999),
        (59, 0.95, 57),
    ],
)
def test_the_rank_of_a_quantile_is_n_times_q_rounded_up(n: int, q: float, expected: int) -> None:
    """The q-quantile is the order statistic of rank ceil(n q), reckoned in decimals."""
    assert rank(n, q) == expected


def test_a_quantile_is_one_of_the_samples() -> None:
    """Nothing is interpolated, binned or rounded."""
    samples = [0.1049, 0.2, 0.3, 1.0499, 7.123456]
    found = quantiles(samples)
    assert set(found.values()) <= set(samples)
    assert found["max"] == 7.123456
    assert quantile(sorted(samples), 0.5) == 0.3
    assert quantiles([]) == {}


@pytest.mark.parametrize("p", [Fraction(1, 100), Fraction(1, 20), Fraction(1, 2), Fraction(19, 20)])
@pytest.mark.parametrize("n", [1, 7, 59, 300])
def test_the_binomial_is_exact(n: int, p: Fraction) -> None:
    """P(X <= k) agrees with the sum in exact fractions, for every k."""
    total = Fraction(0)
    for k in range(n + 1):
        total += math.comb(n, k) * p**k * (1 - p) ** (n - k)
        assert math.isclose(at_most(k, n, float(p)), float(total), rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize(
    ("misses", "q", "n"),
    [
        # The smallest n that certifies with so many misses, at 95 %: Wilks' formula and its sequels.
        (0, 0.90, 29),
        (0, 0.95, 59),
        (0, 0.99, 299),
        (1, 0.95, 93),
        (2, 0.95, 124),
        (5, 0.95, 208),
        (1, 0.99, 473),
    ],
)
def test_the_fewest_samples_that_certify_are_those_of_the_tables(misses: int, q: float, n: int) -> None:
    """59 in time certify a p95 at 95 %, 58 do not; 299 a p99; and so on with misses."""
    assert certifies(n, misses, q, 0.95)
    assert not certifies(n - 1, misses, q, 0.95)


@pytest.mark.parametrize(("n", "q", "ranks"), [(100, 0.95, (91, 99)), (300, 0.99, (294, 300)), (58, 0.95, (52, None))])
def test_the_bounds_are_the_order_statistics_that_the_binomial_names(
    n: int, q: float, ranks: tuple[int | None, int | None]
) -> None:
    """The ranks of the one-sided 95 % bounds are the tightest for which the binomial gives 95 %."""
    lower, upper = lower_rank(n, q, 0.95), upper_rank(n, q, 0.95)
    assert (lower, upper) == ranks
    assert lower is not None
    assert 1 - at_most(lower - 1, n, q) >= 0.95 > 1 - at_most(lower, n, q)
    if upper is not None:
        assert at_most(upper - 1, n, q) >= 0.95 > at_most(upper - 2, n, q)


def test_a_verdict_is_the_bound_compared_with_the_limit() -> None:
    """`kept` is the same as upper bound <= limit, `refuted` the same as lower bound > limit."""
    dice = random.Random(5)
    for _ in range(200):
        latencies = [dice.lognormvariate(-1.0, 0.5) for _ in range(dice.randint(1, 400))]
        limit = dice.uniform(0.3, 1.2)
        verdict = decide(latencies, failed=0, unknown=0, q=0.9, bound_s=limit, confidence=0.95)
        kept = verdict.upper_s is not None and verdict.upper_s <= limit
        refuted = verdict.lower_s is not None and verdict.lower_s > limit
        assert verdict.word == (KEPT if kept else REFUTED if refuted else INCONCLUSIVE)


def test_an_arrival_without_a_good_answer_is_infinitely_late() -> None:
    """Failures are misses however fast they came, and the estimate is open where it falls among them."""
    verdict = decide([0.1] * 59, failed=0, unknown=0, q=0.95, bound_s=1.0, confidence=0.95)
    assert (verdict.word, verdict.upper_s) == (KEPT, 0.1)
    verdict = decide([0.1] * 59, failed=40, unknown=0, q=0.95, bound_s=1.0, confidence=0.95)
    assert (verdict.word, verdict.misses, verdict.estimate_s, verdict.upper_s) == (REFUTED, 40, None, None)


def test_the_unknown_speaks_against_either_verdict() -> None:
    """Arrivals of which nothing is known neither certify nor refute."""
    assert decide([0.1] * 59, failed=0, unknown=1, q=0.95, bound_s=1.0, confidence=0.95).word == INCONCLUSIVE
    assert decide([0.1] * 59, failed=0, unknown=40, q=0.95, bound_s=1.0, confidence=0.95).word == INCONCLUSIVE
    assert decide([0.1] * 200, failed=0, unknown=1, q=0.95, bound_s=1.0, confidence=0.95).word == KEPT


@pytest.mark.parametrize(
    ("n", "misses", "q", "further"),
    [
        (0, 0, 0.95, 59),
        (20, 0, 0.95, 39),
        (100, 0, 0.99, 199),
        (300, 1, 0.99, None),  # checked by what it promises, below
        (40, 4, 0.95, None),
    ],
)
def test_the_further_samples_would_decide(n: int, misses: int, q: float, further: int | None) -> None:
    """With so many more samples and the same share of misses, the verdict is no longer open."""
    promised = further_samples(n, misses, q, 0.95)
    assert promised is not None
    assert promised > 0
    if further is not None:
        assert promised == further
    total = n + promised
    share = misses / n if n else 0.0
    decided = certifies(total, math.ceil(share * total), q, 0.95) or refutes(total, math.floor(share * total), q, 0.95)
    assert decided


def test_a_share_at_the_edge_is_never_decided() -> None:
    """Where exactly as many are late as are allowed, no number of samples is promised."""
    assert further_samples(100, 5, 0.95, 0.95) is None


@pytest.mark.parametrize(("q", "n"), [(0.95, 120), (0.95, 400), (0.99, 700)])
def test_at_most_one_in_twenty_verdicts_is_wrong(q: float, n: int) -> None:
    """Over 2,000 simulated runs at the true quantile's edge, each wrong verdict comes in at most 5 %."""
    dice = random.Random(11)
    runs, kept, refuted = 2000, 0, 0
    for _ in range(runs):
        # The limit is the true quantile: `kept` is true and `refuted` false, but a hair to either side turns it.
        misses = sum(dice.random() > q for _ in range(n))
        kept += certifies(n, misses, q, 0.95)
        refuted += refutes(n, misses, q, 0.95)
    # Three standard deviations of the simulation itself.
    allowed = 0.05 * runs + 3 * math.sqrt(runs * 0.05 * 0.95)
    assert 0 < kept <= allowed
    assert 0 < refuted <= allowed


@pytest.mark.parametrize(
    ("text", "slo", "name"),
    [
        ("p95<=1s", Slo(0.95, 1.0), "p95<=1s"),
        ("p99.9 < 400ms", Slo(0.999, 0.4), "p99.9<=400ms"),
        ("p50≤2m", Slo(0.5, 120.0), "p50<=120s"),
        ("p5<=3", Slo(0.05, 3.0), "p5<=3s"),
    ],
)
def test_an_slo_is_read_as_it_is_written(text: str, slo: Slo, name: str) -> None:
    """`p95<=1s` and its variants become the exact quantile and bound, and are named alike."""
    assert parse_slo(text) == slo
    assert slo_name(slo) == name


@pytest.mark.parametrize("text", ["", "p95", "p95>=1s", "95<=1s", "p100<=1s", "p0<=1s", "p95<=0s", "p95<=1 fortnight"])
def test_what_is_no_slo_is_refused(text: str) -> None:
    """Anything else is a usage error that shows how to write one."""
    with pytest.raises(UsageError, match=r"p95|p0|above 0|duration"):
        parse_slo(text)
