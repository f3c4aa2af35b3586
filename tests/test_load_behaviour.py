"""What shows of the server's inside, on queues that are reckoned; and the certificate of the mock."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from queueing import Service, sojourns
from testcard.core.behaviour import Saturation
from testcard.core.record import Record
from testcard.core.target import Target
from testcard.core.targetfile import profile_target
from testcard.load import plan_load
from testcard.load.certificate import Compared, Truth
from testcard.load.parallelism import Span, parallelism
from testcard.load.saturation import saturation
from testcard.mock_server import MockSettings, running

MOCK = profile_target("mock")


def came(rate: float, count: int, dice: random.Random) -> list[float]:
    return list(itertools.accumulate(dice.expovariate(rate) for _ in range(count)))


def queue(places: int, service: Service, rate: float, count: int, seed: int) -> list[Span]:
    dice = random.Random(seed)
    times = came(rate, count, dice)
    return [Span(time, time + span) for time, span in zip(times, sojourns(times, places, service, dice), strict=True)]


def _slow_for_a_while(seed: int) -> list[Span]:
    """Eight times as slow for 3 s of 10: many in flight because it is slow, and nobody waits for anybody."""
    dice = random.Random(seed)
    return [Span(t, t + (0.8 if t % 10 < 3 else 0.1) * dice.uniform(0.9, 1.1)) for t in came(10, 900, dice)]


def _stalled(seed: int) -> list[Span]:
    """Stands still from 15 s to 17 s, and then answers all at once."""
    dice = random.Random(seed)
    spans = []
    for time in came(100, 3000, dice):
        took = 0.05 * dice.lognormvariate(0, 0.5)
        still = time < 17 and time + took > 15
        spans.append(Span(time, 17 + took * 0.3 if still else time + took))
    return spans


def _shared(seed: int) -> list[Span]:
    """One core, shared by all that are there."""
    dice = random.Random(seed)
    times = came(15, 600, dice)
    left: dict[int, float] = {}
    ends: dict[int, float] = {}
    now = 0.0
    for index, time in enumerate([*times, float("inf")]):
        while left:
            first = min(left, key=lambda one: left[one])
            done = now + left[first] * len(left)
            if done > time:
                break
            share = left[first]
            left = {one: rest - share for one, rest in left.items() if one != first}
            ends[first], now = done, done
        if index < len(times):
            left = {one: rest - (time - now) / len(left) for one, rest in left.items()}
            left[index], now = 0.05, time
    return [Span(time, ends[index]) for index, time in enumerate(times)]


@pytest.mark.parametrize(
    ("places", "made"),
    [
        pytest.param(1, lambda seed: queue(1, lambda _: 0.05, 14, 600, seed), id="one, always as long"),
        pytest.param(1, lambda seed: queue(1, lambda d: d.expovariate(20), 14, 600, seed), id="one, exponential"),
        pytest.param(1, lambda seed: queue(1, lambda d: d.lognormvariate(-3, 0.3), 12, 600, seed), id="one, lognormal"),
        pytest.param(2, lambda seed: queue(2, lambda _: 0.1, 16, 600, seed), id="two"),
        pytest.param(4, lambda seed: queue(4, lambda _: 0.1, 36, 900, seed), id="four"),
    ],
)
def test_requests_that_wait_for_each_other_are_seen(places: int, made: Callable[[int], list[Span]]) -> None:
    """So many at a time, from the outside."""
    for seed in range(5):
        found = parallelism(made(seed))
        assert found is not None
        assert found.places == places
        assert ("serialised" in found.sentence) is (places == 1)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(
            lambda seed: queue(10_000, lambda d: d.lognormvariate(-3, 0.5), 100, 1500, seed), id="all at once"
        ),
        pytest.param(lambda seed: queue(10_000, lambda d: d.lognormvariate(-3, 1.2), 60, 1500, seed), id="long tail"),
        pytest.param(lambda seed: queue(10_000, lambda _: 0.1, 10, 600, seed), id="all at once, always as long"),
        pytest.param(lambda seed: queue(1, lambda _: 0.05, 1, 60, seed), id="one, but nobody meets another"),
        _slow_for_a_while,
        _stalled,
        _shared,
    ],
)
def test_nobody_is_accused_who_works_on_all_at_once(made: Callable[[int], list[Span]]) -> None:
    """Not for being slow for a while, nor for a stall, nor for a long tail; and nothing is said of too little."""
    for seed in range(5):
        assert parallelism(made(seed)) is None


def _saturated(places: int, rate: float, scenario: str, seed: int = 1) -> Saturation | None:
    plan = plan_load(MOCK, scenario_name=scenario, rate_per_s=rate, duration_s=80, warmup_s=2, seed=seed)
    times = [arrival.offset_s for arrival in plan.schedule()]
    dice = random.Random(seed)
    spans = list(sojourns(times, places, lambda _: 0.1, dice))
    return saturation(plan, times, [time + span for time, span in zip(times, spans, strict=True)])


@pytest.mark.parametrize("scenario", ["steady", "steps", "ramp"])
def test_the_rate_at_which_a_server_saturates_is_named(scenario: str) -> None:
    """Four places of 100 ms serve 40/s: of steps to 72/s the third one saturates, of a ramp the part above 40."""
    found = _saturated(4, 72, scenario)
    assert found is not None
    assert found.offered_per_s > 40
    assert found.completed_per_s == pytest.approx(40, rel=0.05)
    if scenario == "steps":
        assert found.where == "step-3"
    assert _saturated(4, 30, scenario) is None
    assert _saturated(10_000, 72, scenario) is None


def _records(truth: dict[str, float]) -> Iterator[Record]:
    for number, (name, span) in enumerate(truth.items()):
        yield Record(
            number, "load", "measured", "", "POST", "", request_id=name, planned_s=number / 10, sent_s=number / 10,
            last_byte_s=number / 10 + span + 0.0005, outcome="valid",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("known", "off", "agrees"),
    [
        (100, 0.0, True),
        (100, 0.004, False),  # 4 ms more than the mock knows
        (90, 0.0, None),  # it does not know one in ten: not the server that was loaded
        (10, 0.0, None),
    ],
)
def test_a_certificate_compares_the_same_arrivals(known: int, off: float, agrees: bool | None) -> None:
    """Only where nearly all are known by their ids; and it says when the figures are off."""
    sent = {f"id-{number}": 0.05 + number / 1e4 for number in range(100)}
    told = {name: span - off for name, span in list(sent.items())[:known]}
    compared = Compared(told)
    for record in _records(sent):
        compared.add(record)
    found = compared.certificate(Truth("a machine", 2, told), {"p99": 0.001})
    assert (None if found is None else found.agrees) is agrees
    if found is not None:
        assert found.off_s["p50"] == pytest.approx(0.0005 + off, abs=1e-6)
        assert (found.machine, found.arrivals, found.of) == ("a machine", 100, 100)


def test_only_the_bundled_mock_on_loopback_is_asked() -> None:
    """Another target is not, and a server that is none of ours says nothing."""
    with running(MockSettings()) as base_url:
        found = Truth.ask(_aimed(base_url))
        assert found is not None
        assert found.answers == {}
        assert Truth.ask(_aimed(base_url, name="staging")) is None
    assert Truth.ask(_aimed(base_url)) is None  # nobody is there any more


def _aimed(base_url: str, name: str = "mock") -> Target:
    return replace(MOCK, base_url=base_url, name=name)
