"""Black-box identification of limiters: what others wrote is recognised, what is unknown is not named wrongly.

The whole table, over some hundreds of limiters: benchmarks/limiter_identification.py.
"""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest

from drawn_limiters import HEADERS, KNOWN, LIARS, RECOGNISED, REFUSALS, UNKNOWN, Network, Truth, draw
from testcard.core.target import Limit
from testcard.load.ratelimit import Bounds, Fitted, Honesty, Identification, Observation
from testcard.load.ratelimit.catalogue import kinds
from testcard.load.ratelimit.observation import Past, Wave
from testcard.load.ratelimit.population import Population, spread
from testcard.load.ratelimit.promise import Promise, honesty, promises
from wild_limiters import (
    Bucket,
    FixedClock,
    FixedFirst,
    Gcra,
    Interval,
    Log,
    Postponing,
    RefusedBucket,
    RefusedCounter,
    Renewed,
    Rolling,
    SubBuckets,
    TwoLogs,
    Wild,
)
from wild_limiters import Counter as WildCounter

DECLARED = Limit(10, 60.0)


def identify(truth: Truth, *, seed: int, requests: int = 60) -> tuple[Fitted, Honesty, int, float]:
    """What the identification makes of a limiter; the requests and virtual seconds that it took."""
    network = Network(truth, seed)
    identification = Identification(DECLARED, Bounds(requests=requests, seconds=720.0), seed=seed)
    now = 0.0
    while (probe := identification.next(now)) is not None:
        answers = list(network.send(max(now, probe.at_s), probe.count))
        identification.add(
            [Observation(one.sent, one.answered, one.admitted, one.promised, one.by_date) for one in answers]
        )
        now = max(one.answered for one in answers)
    return identification.verdict(), identification.honesty()[0], identification.sent, now


def told(kind: str, header: str) -> Truth:
    """A limiter of 10 requests in 60 s whose Retry-After is of a given sort."""
    limiter = FixedClock(10, 60.0, 17.0) if kind == "fixed-clock" else Log(10, 60.0)
    return Truth(kind, 10, 60.0, limiter, (0.02, 0.2), 0.0, header)


@pytest.mark.parametrize(
    ("name", "limiter", "parameters"),
    [
        ("fixed-clock", FixedClock(10, 60.0, 15.0), (10, 60, 0.75)),
        ("fixed-first", FixedFirst(10, 60.0), (10, 60)),
        ("sliding-log", Log(10, 60.0), (10, 60, 0)),
        ("sliding-log", Log(10, 60.0, counts_refused=True), (10, 60, 1)),
        ("sliding-counter", WildCounter(10, 60.0, 15.0, strict=True), (10, 60, 0.75, 1, 0)),
        ("sliding-counter", RefusedCounter(10, 60.0, 15.0, strict=False), (10, 60, 0.75, 0, 1)),
        ("bucket", Bucket(5, 0.2), (5, 5, 0)),
        ("bucket", Gcra(5, 0.2), (5, 5, 0)),
        ("bucket", RefusedBucket(5, 0.2, 0.0), (5, 5, 1)),  # a refusal costs what is left
        ("bucket", RefusedBucket(5, 0.2, math.inf), (5, 5, 2)),  # a refusal costs a token, owed if need be
        ("rolling", Rolling(10, 60.0, 3.0), (10, 60, 10, 5, 4, 0)),
        ("two-tier", TwoLogs(10, 60.0, 4, 6.0), (10, 60, 4, 6, 0, 0, 0)),
        ("interval-refill", Interval(10, 15.0, 2, 0.0), (10, 15, 0, 2)),
        ("stepped-window", SubBuckets(10, 60.0, 4, 0.0), (10, 60, 0, 4)),
        ("lockout", Postponing(10, 60.0, 20.0), (10, 60, 20, 0, 1)),
        ("idle-window", Renewed(10, 10.0), (10, 10, 1)),
    ],
)
def test_a_model_admits_what_the_limiter_admits(name: str, limiter: Wild, parameters: tuple[float, ...]) -> None:
    """With the true parameters a model has room for exactly what somebody else's limiter let through."""
    dice = random.Random(5)
    at, waves = 0.0, []
    for _ in range(300):
        at += dice.choice([0.3, 3.0, 12.0, 90.0]) * dice.uniform(0.5, 1.5)
        waves.append(Wave(tuple(Observation(at, at, limiter.decide(at)[0]) for _ in range(dice.randint(1, 4)))))
    past = Past(waves)
    kind = next(one for one in kinds(DECLARED) if one.name == name)
    room = spread(kind, np.array([parameters], dtype=float), past, 0, [0.0])[0, 0]
    assert 30 < past.admitted.sum() < past.sent.sum() - 30  # there is something to explain
    assert np.clip(room, 0, past.sent).tolist() == past.admitted.tolist()


def test_a_limiter_of_every_kind_is_identified() -> None:
    """Of one drawn limiter of each kind at most one is taken for another; what is stated as sure is right."""
    results = [(draw(number, seed=7), identify(draw(number, seed=7), seed=number)) for number in range(len(KNOWN))]
    confusions = Counter((truth.kind, fitted.kind) for truth, (fitted, *_) in results)
    assert sum(count for (true, said), count in confusions.items() if true == said) >= len(results) - 1, confusions
    for truth, (fitted, _, requests, seconds) in results:
        assert requests <= 60
        assert seconds <= 760  # the last wave is sent before 720 s, and answered
        if fitted.confidence >= 0.95:
            assert fitted.kind == truth.kind, (truth, fitted)
    limits = sum(truth.right_limit(fitted.limit.value if fitted.limit else None) for truth, (fitted, *_) in results)
    assert limits >= len(results) - 1


@pytest.mark.parametrize("number", range(2))
def test_a_kind_that_gateways_seldom_have_is_never_surely_another(number: int) -> None:
    """Interval refills and windows that move in steps are recognised, or not said to be sure."""
    fitted, *_ = identify(draw(number, names=UNKNOWN, seed=7), seed=number, requests=40)
    assert fitted.kind in (UNKNOWN[number], "unexplained") or fitted.confidence < 0.95


@pytest.mark.parametrize(
    "kind",
    [
        "log-of-all",  # what it refuses fills the window as well
        "bucket-of-all",  # what it refuses is paid for
        "postponing",  # who asks while refused waits anew
    ],
)
def test_refused_requests_that_count_are_told(kind: str) -> None:
    """Where refused requests use up the limit or push it on, that is said, or nothing is."""
    truth = draw(REFUSALS.index(kind), names=REFUSALS, seed=1)
    fitted, *_ = identify(truth, seed=REFUSALS.index(kind))
    name, counts = RECOGNISED[kind]
    assert fitted.kind in (name, "unexplained")
    assert fitted.refusals_count in (counts, None)


def test_what_no_model_explains_is_called_unexplained() -> None:
    """A server that refuses by the toss of a coin is given no kind."""
    dice = random.Random(4)
    identification = Identification(DECLARED, Bounds(40, 720.0), seed=1)
    now = 0.0
    while (probe := identification.next(now)) is not None:
        sent = max(now, probe.at_s)
        identification.add([Observation(sent, sent + 0.1, dice.random() < 0.5) for _ in range(probe.count)])
        now = sent + 0.1
    fitted = identification.verdict()
    assert fitted.kind == "unexplained"
    assert fitted.limit is None


@pytest.mark.parametrize("header", HEADERS)
def test_promises_are_judged_as_a_whole(header: str) -> None:
    """Honest in each form, early, late, missing or made up: the promises of one limiter tell which."""
    dice = random.Random(3)
    waits = [dice.uniform(1, 55) for _ in range(30)]
    told = [(wait, HEADERS[header](wait, dice)) for wait in waits]
    found = [
        Promise(float(at), said, wait, 0.4, header == "dated")
        for at, (wait, said) in enumerate(told)
        if said is not None
    ]
    assert honesty(found, len(waits)).verdict == (header if header in LIARS else "honest")


def test_what_is_made_up_is_not_late() -> None:
    """Promises of one moment that have nothing to do with each other are unrelated, even where all are too long."""
    dice = random.Random(3)
    made_up = [Promise(5.0, dice.randint(2, 60), 0.7, 1.0) for _ in range(12)]
    tenfold = [Promise(5.0, math.ceil(10 * wait), wait, 1.0) for wait in (0.61, 0.66, 0.7, 0.74) * 3]
    fourth = [Promise(float(at), 1, wait, 1.0) for at, wait in enumerate((5.8, 0.6, 5.4, 4.4, 0.7, 5.5))]
    assert honesty(made_up, 12).verdict == "unrelated"
    assert honesty(fourth, 6).verdict == "early"  # a quarter of all of them is a second
    assert honesty(tenfold, 12).verdict == "late"


@pytest.mark.parametrize("factor", [1.0, 10.0])
def test_the_header_may_choose_among_what_explains_the_answers(factor: float) -> None:
    """Where the window is known to some seconds only, a promise is held against the window that suits it best."""
    waves = [
        Wave(tuple(Observation(at, at + 0.1, passes, None if passes else math.ceil(factor * (60 - at))) for _ in "123"))
        for at, passes in ((0.0, True), (20.0, False), (55.0, False))
    ]
    kind = next(one for one in kinds(DECLARED) if one.name == "fixed-first")
    sets = np.column_stack([np.full(49, 3.0), np.linspace(56.5, 60.5, 49)])
    judged = honesty(promises(Population(kind, sets, np.zeros(49)), Past(waves)), 6)
    assert judged.verdict == ("honest" if factor == 1 else "late")
    assert judged.ratio == pytest.approx(factor, rel=0.02)


def test_a_wait_for_tokens_that_are_owed_is_a_wait() -> None:
    """A bucket that refusals put into debt makes its promises longer, and they are not taken for missing."""
    limiter = RefusedBucket(3, 1 / 6, math.inf)
    answers = [limiter.decide(1.0) for _ in range(9)]
    wave = Wave(tuple(Observation(1.0, 1.1, passes, None if passes else wait) for passes, wait in answers))
    kind = next(one for one in kinds(DECLARED) if one.name == "bucket")
    found = promises(Population(kind, np.array([[3.0, 6.0, 2.0]]), np.zeros(1)), Past([wave]))
    assert [round(one.wait_s) for one in found] == [42] * 6  # six are owed when the last of them is told to wait


@pytest.mark.parametrize(
    ("size", "contradictions"),
    [
        (30, 0),  # one of them came before the window's end
        (3, 1),
    ],
)
def test_a_large_wave_may_fall_on_both_sides_of_an_end(size: int, contradictions: int) -> None:
    """One request more than a window has left contradicts a limiter only where no large wave was split by its end."""
    waves = [
        Wave(tuple(Observation(at, at + 0.1, True) for _ in range(count)))
        for at, count in ((0.0, 1), (60.1, size), (62.0, size + 1))
    ]
    kind = next(one for one in kinds(DECLARED) if one.name == "fixed-first")
    population = Population(kind, np.array([[2.0 * size, 60.0]]), np.zeros(1))
    assert population.contradictions(Past(waves)) == contradictions


def test_retry_after_is_judged_by_the_limiter_that_fits() -> None:
    """Early and late are measured without a request more, and no header changes the limiter."""
    found = {header: identify(told("sliding-log", header), seed=3, requests=30) for header in ("early", "late")}
    for header, (fitted, judged, *_) in found.items():
        assert fitted == found["late"][0]
        assert judged.verdict == header
    assert found["late"][0].kind == "sliding-log"
    assert found["early"][1].ratio == pytest.approx(0.25, rel=0.1)
    assert found["late"][1].ratio == pytest.approx(10.0, rel=0.1)


def test_an_identification_can_be_repeated() -> None:
    """The same seed and the same answers give the same requests and the same verdict."""
    again = [identify(told("sliding-log", "missing"), seed=11, requests=20) for _ in range(2)]
    assert again[0] == again[1]


def test_without_a_refusal_the_number_that_passed_is_told() -> None:
    """No limit seen is worded as a number of requests, never as the absence of a limit."""
    fitted, judged, requests, _ = identify(draw(0, seed=7), seed=0)
    assert fitted.kind == "no-limit-seen"
    assert fitted.at_least == requests
    assert judged.verdict == "not-judged"
    assert np.isfinite(fitted.confidence)
