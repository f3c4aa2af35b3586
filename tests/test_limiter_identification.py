"""Black-box identification of limiters: what others wrote is recognised, what is unknown is not named wrongly.

The whole table, over some hundreds of limiters: benchmarks/limiter_identification.py.
"""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from testcard.core.target import Limit
from testcard.load.ratelimit import Bounds, Fitted, Honesty, Identification, Observation
from wild_limiters import KNOWN, LIARS, UNKNOWN, FixedClock, Log, Network, Truth, draw

DECLARED = Limit(10, 60.0)


def identify(truth: Truth, *, seed: int, requests: int = 60) -> tuple[Fitted, Honesty, int, float]:
    """What the identification makes of a limiter; the requests and virtual seconds that it took."""
    network = Network(truth, seed)
    identification = Identification(DECLARED, Bounds(requests=requests, seconds=720.0), seed=seed)
    now = 0.0
    while (probe := identification.next(now)) is not None:
        answers = list(network.send(max(now, probe.at_s), probe.count))
        identification.add([Observation(one.sent, one.answered, one.admitted, one.promised) for one in answers])
        now = max(one.answered for one in answers)
    return identification.verdict(), identification.honesty()[0], identification.sent, now


def told(kind: str, header: str) -> Truth:
    """A limiter of 10 requests in 60 s whose Retry-After is of a given sort."""
    limiter = FixedClock(10, 60.0, 17.0) if kind == "fixed-clock" else Log(10, 60.0)
    return Truth(kind, 10, 60.0, limiter, (0.02, 0.2), 0.0, header)


def test_limiters_of_every_kind_are_identified() -> None:
    """Of two drawn limiters of each kind at most two in all are taken for another; what is stated as sure is right."""
    results = [(draw(number, seed=7), identify(draw(number, seed=7), seed=number)) for number in range(2 * len(KNOWN))]
    confusions = Counter((truth.kind, fitted.kind) for truth, (fitted, *_) in results)
    assert sum(count for (true, said), count in confusions.items() if true == said) >= len(results) - 2, confusions
    for truth, (fitted, _, requests, seconds) in results:
        assert requests <= 60
        assert seconds <= 760  # the last wave is sent before 720 s, and answered
        if fitted.confidence >= 0.95:
            assert fitted.kind == truth.kind, (truth, fitted)
    limits = sum(truth.right_limit(fitted.limit.value if fitted.limit else None) for truth, (fitted, *_) in results)
    assert limits >= len(results) - 2


@pytest.mark.parametrize("number", range(2))
def test_a_kind_that_gateways_seldom_have_is_never_surely_another(number: int) -> None:
    """Interval refills and windows that move in steps are recognised, or not said to be sure."""
    fitted, *_ = identify(draw(number, names=UNKNOWN, seed=7), seed=number)
    assert fitted.kind in (UNKNOWN[number], "unexplained") or fitted.confidence < 0.95


def test_what_no_model_explains_is_called_unexplained() -> None:
    """A server that refuses by the toss of a coin is given no kind."""
    dice = random.Random(4)
    identification = Identification(DECLARED, Bounds(60, 720.0), seed=1)
    now = 0.0
    while (probe := identification.next(now)) is not None:
        sent = max(now, probe.at_s)
        identification.add([Observation(sent, sent + 0.1, dice.random() < 0.5) for _ in range(probe.count)])
        now = sent + 0.1
    fitted = identification.verdict()
    assert fitted.kind == "unexplained"
    assert fitted.limit is None


@pytest.mark.parametrize("header", LIARS)
def test_retry_after_is_judged_by_the_limiter_that_fits(header: str) -> None:
    """Honest, four times too early, ten times too late, missing or made up: each is told, without a request more."""
    fitted, honesty, *_ = identify(told("sliding-log", header), seed=3)
    assert fitted.kind == "sliding-log"
    assert honesty.verdict == header
    if header in ("early", "late"):
        assert honesty.ratio == pytest.approx({"early": 0.25, "late": 10.0}[header], rel=0.1)


def test_what_a_header_says_changes_no_verdict() -> None:
    """The same limiter behind an honest and a lying header is the same limiter."""
    verdicts = [identify(told("fixed-clock", header), seed=5)[0] for header in ("honest", "late", "unrelated")]
    assert verdicts[0] == verdicts[1] == verdicts[2]
    assert verdicts[0].kind == "fixed-clock"


def test_an_identification_can_be_repeated() -> None:
    """The same seed and the same answers give the same requests and the same verdict."""
    again = [identify(told("sliding-log", "missing"), seed=11, requests=30) for _ in range(2)]
    assert again[0] == again[1]


def test_without_a_refusal_the_number_that_passed_is_told() -> None:
    """No limit seen is worded as a number of requests, never as the absence of a limit."""
    fitted, honesty, requests, _ = identify(draw(0, seed=7), seed=0)
    assert fitted.kind == "no-limit-seen"
    assert fitted.at_least == requests
    assert honesty.verdict == "not-judged"
    assert np.isfinite(fitted.confidence)
