"""Arrivals that are late together: seen, counted for what they are worth, and never certified in silence."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from testcard.core.record import Record
from testcard.core.target import Slo
from testcard.core.targetfile import profile_target
from testcard.load import Generator, conclude, plan_load
from testcard.load.generator import WorkerReport
from testcard.load.independence import _at_most_runs, dependence, discount
from testcard.load.verdict import INCONCLUSIVE, KEPT, REFUTED, decide

PLAN = plan_load(profile_target("mock"), rate_per_s=10, duration_s=40, warmup_s=0)
FINE = Generator(cores=2, workers=(WorkerReport(0, complete=True, cpu_share=0.1),))


def _chain(dice: random.Random, n: int, share: float, stretch: float) -> list[float]:
    """Late (2 s) or not (0.1 s) as a chain of two states: late for a share of the arrivals, in stretches of a mean
    length. Its autocorrelation is 1 - 1/stretch/(1 - share)."""
    late = dice.random() < share
    found = []
    for _ in range(n):
        found.append(2.0 if late else 0.1)
        late = dice.random() >= 1 / stretch if late else dice.random() < share / (1 - share) / stretch
    return found


def _load(spans: list[float], slo: Slo) -> tuple[str, str, int | None, str]:
    base = Record(0, "load", "measured", "", "POST", "", outcome="valid", size="1024x1024")
    records = [
        replace(base, number=i, planned_s=i * 0.1, sent_s=i * 0.1, last_byte_s=i * 0.1 + span)
        for i, span in enumerate(spans)
    ]
    random.Random(3).shuffle(records)
    load = conclude(PLAN, records, slos=[slo], generator=FINE)
    (bound,) = load.slos
    notes = [note for note in load.notes if "independent" in note]
    return bound.verdict, bound.advice, bound.effective_samples, " ".join(notes)


@pytest.mark.parametrize(("n", "m"), [(7, 3), (9, 4), (10, 2), (8, 7)])
def test_the_distribution_of_runs_is_exact(n: int, m: int) -> None:
    """The chance of so few runs is that of counting every order."""
    counted: Counter[int] = Counter()
    for places in itertools.combinations(range(n), m):
        counted[sum(place - 1 not in places for place in places)] += 1
    for runs in range(1, max(counted) + 1):
        share = sum(counted[k] for k in range(runs + 1)) / counted.total()
        assert _at_most_runs(runs, m, n) == pytest.approx(share, rel=1e-9)


def test_the_normal_stands_in_for_many_late_arrivals() -> None:
    """Above 2,000 late arrivals the chance is that of the normal approximation, close to the exact one below."""
    exact, near = _at_most_runs(1010, 2000, 4100), _at_most_runs(1010, 2001, 4101)
    assert near == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("kind", ["lognormal", "heavy", "discrete"])
def test_independent_arrivals_are_hardly_ever_called_dependent(kind: str) -> None:
    """Over 1,000 runs of 300 at most a few, whatever the distribution and wherever the bound."""
    dice = random.Random(7)
    draw: Callable[[], float] = {
        "lognormal": lambda: dice.lognormvariate(-1, 0.5),
        "heavy": lambda: dice.paretovariate(1.2),
        "discrete": lambda: dice.choice([0.1, 0.2, 0.2, 0.9, 1.5]),
    }[kind]
    found = 0
    for _ in range(1000):
        spans = [draw() for _ in range(300)]
        found += dependence(spans, q=0.95, bound_s=0.9) is not None
    assert found <= 5


def test_autocorrelation_and_worth_are_those_of_the_chain() -> None:
    """A chain of two states has a known autocorrelation, and n of it are worth n (1 - rho)/(1 + rho), or a little less:
    spells that come close after each other are taken for one."""
    dice = random.Random(2)
    found = dependence(_chain(dice, 50_000, 0.1, 5.0), q=0.95, bound_s=1.0)
    assert found is not None
    rho = 1 - 1 / 5 / 0.9
    assert found.autocorrelation == pytest.approx(rho, abs=0.02)
    assert 0.8 <= found.worth / ((1 - rho) / (1 + rho)) <= 1.02


def test_a_certificate_has_to_hold_for_what_arrivals_are_worth() -> None:
    """Ten late ones of 400 certify a p95 if they came singly; together they do not, and the advice says why."""
    singly = [2.0 if index % 40 == 0 else 0.1 for index in range(400)]
    together = [2.0 if 200 <= index < 210 else 0.1 for index in range(400)]
    word, _, worth, note = _load(singly, Slo(0.95, 1.0))
    assert (word, worth, note) == (KEPT, None, "")
    word, advice, worth, note = _load(together, Slo(0.95, 1.0))
    assert word == INCONCLUSIVE
    assert worth is not None
    assert worth < 40
    assert "would decide; 400 arrivals, late together, are worth" in advice
    assert f"400 for p95<=1s are worth {worth}" in note


def test_a_refutation_stands_and_says_that_it_is_of_this_run() -> None:
    """Half of the arrivals late, in one stretch, is no little thing; how often that comes is another question."""
    word, _, worth, note = _load([0.1] * 200 + [2.0] * 200, Slo(0.95, 1.0))
    assert word == REFUTED
    assert worth in (1, 2)
    assert "a refutation speaks of this run" in note


def test_what_never_comes_near_the_bound_is_only_told() -> None:
    """A stall far below the bound costs no certificate, but is said."""
    far = [0.1 + 0.001 * (index % 7) for index in range(360)] + [0.3 + 0.001 * index for index in range(40)]
    word, _, worth, note = _load(far, Slo(0.95, 1.0))
    assert word == KEPT
    assert worth is not None
    assert note
    assert _load([0.1] * 360 + [0.7] * 40, Slo(0.95, 1.0))[0] == INCONCLUSIVE  # near: over 0.4 of it


@pytest.mark.parametrize(("stretch", "n"), [(3.0, 600), (10.0, 600), (10.0, 2000), (30.0, 2000), (100.0, 6000)])
def test_hardly_any_certificate_is_wrong_where_a_late_stretch_was_seen(stretch: float, n: int) -> None:
    """True share late a hair above 5 %: of the runs with a late arrival at most a twentieth is certified, whatever the
    length of the stretches; without the look at the order of arrival a fifth to a half."""
    dice = random.Random(f"{stretch} {n}")
    runs = 150
    before = after = 0
    for _ in range(runs):
        spans = _chain(dice, n, 0.0501, stretch)
        late = sum(span > 1 for span in spans)
        verdict = decide([s for s in spans if s <= 1], late, 0, q=0.95, bound_s=1.0, confidence=0.95)
        found = dependence(spans, q=0.95, bound_s=1.0)
        before += late > 0 and verdict.word == KEPT
        after += late > 0 and discount(verdict, found, q=0.95, confidence=0.95).word == KEPT
    assert after <= 0.05 * runs + 2 * math.sqrt(0.05 * 0.95 * runs)
    assert before > 2 * after


def test_a_slow_spell_is_one_even_where_some_of_its_arrivals_are_in_time() -> None:
    """Twenty late arrivals, every other one of forty in a row, are one spell; twenty far apart are none."""
    apart = [2.0 if 500 <= index < 540 and index % 2 else 0.1 for index in range(1000)]
    together = [2.0 if 500 <= index < 540 and index % 4 < 2 else 0.1 for index in range(1000)]
    for spans in (apart, together):
        found = dependence(spans, q=0.95, bound_s=1.0)
        assert found is not None
        assert found.spells == 1
    anywhere = [2.0 if index % 50 == 7 else 0.1 for index in range(1000)]
    assert dependence(anywhere, q=0.95, bound_s=1.0) is None


def test_the_further_arrivals_make_up_for_it() -> None:
    """As many more as are promised, with the same share and clustering, do decide."""
    spans = ([0.1] * 95 + [2.0] * 5) * 3 + [0.1] * 400
    late = sum(span > 1 for span in spans)
    verdict = decide([s for s in spans if s <= 1], late, 0, q=0.95, bound_s=1.0, confidence=0.95)
    found = dependence(spans, q=0.95, bound_s=1.0)
    assert found is not None
    told = discount(verdict, found, q=0.95, confidence=0.95)
    assert (verdict.word, told.word) == (KEPT, INCONCLUSIVE)
    assert told.further is not None
    times = math.ceil(1 + told.further / len(spans))
    more = spans * times
    late = sum(span > 1 for span in more)
    again = decide([s for s in more if s <= 1], late, 0, q=0.95, bound_s=1.0, confidence=0.95)
    assert discount(again, dependence(more, q=0.95, bound_s=1.0), q=0.95, confidence=0.95).word == KEPT
