"""The plan of a load: its arrivals, its cost, and the limit of the key."""

from __future__ import annotations

import itertools
import json
import statistics
from dataclasses import replace

import pytest

from testcard.core.errors import UsageError
from testcard.core.limit import constraints
from testcard.core.target import Limit, Target
from testcard.core.targetfile import profile_target
from testcard.load import LoadPlan, highest_rate_per_s, plan_load, scenarios
from testcard.load.allowance import require_within, with_rate
from testcard.load.payload import request_of
from testcard.load.plan import MEASURED, WARMUP, Arrival

MOCK = profile_target("mock")


def _most_in(times: list[float], window_s: float) -> int:
    return max(sum(1 for other in times if time <= other < time + window_s) for time in times)


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_a_plan_has_as_many_arrivals_as_rate_times_time(arrivals: str) -> None:
    """The number of arrivals, and so the cost, is known beforehand; each lies in its phase, in order."""
    plan = plan_load(MOCK, rate_per_s=20, duration_s=10, warmup_s=2, arrivals=arrivals, n=2)
    schedule = plan.schedule()
    assert (plan.count, plan.images, plan.total_s) == (240, 480, 12)
    assert plan.usd(0.0012) == pytest.approx(0.576)
    assert [arrival.index for arrival in schedule] == list(range(240))
    assert schedule == sorted(schedule, key=lambda arrival: arrival.offset_s)
    assert all(0 <= arrival.offset_s < 2 for arrival in schedule if arrival.phase == WARMUP)
    assert all(2 <= arrival.offset_s < 12 for arrival in schedule if arrival.phase == MEASURED)


def test_workers_share_the_schedule_without_overlap_or_loss() -> None:
    """The shares of N workers are the one schedule, whatever N is."""
    one = plan_load(MOCK, rate_per_s=50, duration_s=4, warmup_s=1)
    for processes in (1, 2, 3, 7):
        plan = replace(one, processes=processes)
        shared = [arrival for worker in range(processes) for arrival in plan.share(worker)]
        assert sorted(shared, key=lambda arrival: arrival.index) == one.schedule()
        assert sum(plan.worker_cap(worker) for worker in range(processes)) == plan.in_flight_cap


def test_the_seed_alone_makes_the_schedule() -> None:
    """The same seed gives the same times and prompts, another seed others."""
    plan = plan_load(MOCK, seed=3)
    again, other = plan_load(MOCK, seed=3), plan_load(MOCK, seed=4)
    assert plan.schedule() == again.schedule() != other.schedule()
    first = plan.schedule()[0]
    assert request_of(plan, first) == request_of(again, first) != request_of(other, first)


def test_poisson_gaps_vary_as_much_as_their_mean_and_constant_ones_do_not() -> None:
    """The coefficient of variation of the gaps is about 1 for Poisson, 0 for constant arrivals."""
    for arrivals, expected in (("poisson", 1.0), ("constant", 0.0)):
        plan = plan_load(MOCK, rate_per_s=50, duration_s=100, warmup_s=0, arrivals=arrivals)
        times = [arrival.offset_s for arrival in plan.schedule()]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert statistics.stdev(gaps) / statistics.mean(gaps) == pytest.approx(expected, abs=0.06)


def test_no_two_arrivals_share_a_prompt() -> None:
    """Every prompt is salted, so that no cache can answer; the body asks for what the plan says."""
    plan = plan_load(MOCK, rate_per_s=200, duration_s=5, warmup_s=0, size="512x512", n=2, response_format="b64_json")
    requests = [request_of(plan, arrival) for arrival in plan.schedule()]
    bodies = [json.loads(request.body or b"") for request in requests]
    assert len({body["prompt"] for body in bodies}) == len(requests) == 1000
    fields = {"model": MOCK.model, "n": 2, "size": "512x512", "response_format": "b64_json"}
    assert all(body | fields == body for body in bodies)
    assert all(request.images == 2 for request in requests)


def test_a_plan_survives_the_header_of_a_run() -> None:
    """A plan read back from JSON is the same plan, with the same schedule."""
    plan = plan_load(MOCK, rate_per_s=7, processes=2)
    again = LoadPlan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.schedule() == plan.schedule()


def test_what_nobody_declared_is_left_out_of_the_request() -> None:
    """A target without a default size gets requests without a size."""
    plan = plan_load(Target("http://127.0.0.1:1/v1", model="m"))
    assert "size" not in request_of(plan, Arrival(0, 0.0, MEASURED)).fields


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
@pytest.mark.parametrize(
    "limit",
    [
        Limit(600, 60.0, 2.0),  # the first target's main key
        Limit(10, 60.0),  # its limited key
        Limit(30, 10.0, None),
    ],
)
def test_the_highest_rate_stays_within_the_limit_and_a_higher_one_does_not(limit: Limit, arrivals: str) -> None:
    """At the rate that is named, no window of the limit holds more arrivals than it allows; at 5 % more, one does."""
    plan = plan_load(MOCK, duration_s=180, warmup_s=5, arrivals=arrivals, rate_per_s=1)
    highest = highest_rate_per_s(plan, limit)
    at_highest = with_rate(plan, highest)
    times = [arrival.offset_s for arrival in at_highest.schedule()]
    for requests, window_s in constraints(limit):
        assert _most_in(times, window_s) <= requests
    require_within(at_highest, limit)
    with pytest.raises(UsageError, match=r"highest rate is .*/s"):
        require_within(with_rate(plan, highest * 1.05), limit)


def test_without_a_limit_any_rate_is_within_it() -> None:
    """A target that declares no limit bounds no plan."""
    require_within(plan_load(MOCK, rate_per_s=1000), None)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rate_per_s": 0}, "--rate must be above 0"),
        ({"duration_s": 0}, "--duration must be above 0"),
        ({"warmup_s": -1}, "--warmup must not be negative"),
        ({"arrivals": "random"}, "--arrivals random: one of constant, poisson"),
        ({"processes": 0}, "--processes must be"),
        ({"n": 11}, "--n 11: the target declares 1 to 10"),
        ({"size": "100x100"}, "--size 100x100: the target declares 512x512"),
        ({"response_format": "gif"}, "--response-format gif: the target declares url"),
        ({"scenario_name": "stedy"}, "did you mean steady"),
        ({"rate_per_s": 1e9}, "too many"),
        ({"rate_per_s": 0.001}, "make no arrival"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, object], sentence: str) -> None:
    """A wrong option is a usage error that names it."""
    with pytest.raises(UsageError, match=sentence):
        plan_load(MOCK, **options)  # type: ignore[arg-type]  # wrong on purpose


def test_every_scenario_that_ships_makes_a_plan() -> None:
    """Each scenario file is complete, and its default plan measures something."""
    assert "steady" in scenarios()
    for name in scenarios():
        plan = plan_load(MOCK, scenario_name=name)
        assert any(arrival.phase == MEASURED for arrival in plan.schedule())
