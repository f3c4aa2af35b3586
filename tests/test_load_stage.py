"""Rates that change, and mixes: how many arrivals, when, asking for what, and that no one is sent twice."""

from __future__ import annotations

import itertools
import json
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testcard.core.errors import UsageError
from testcard.core.limit import constraints
from testcard.core.target import Limit
from testcard.core.targetfile import profile_target
from testcard.load import LoadPlan, plan_load, require_within, scenario
from testcard.load.mix import Kind, apportioned, mixed, parse_weighted
from testcard.load.payload import request_of
from testcard.load.plan import MEASURED
from testcard.load.stage import Stage, counts, offsets

MOCK = profile_target("mock")


def _stage(duration_s: float, rate: float, to: float | None = None) -> Stage:
    return Stage("s", MEASURED, duration_s, rate, to)


_STAGES = st.lists(
    st.builds(_stage, st.floats(0.1, 60), st.floats(0.05, 40), st.none() | st.floats(0, 40)), min_size=1, max_size=5
)


@pytest.mark.parametrize(
    ("stage", "arrivals", "when"),
    [
        (_stage(10, 5), 20, 4.0),  # constant: 5 t
        (_stage(10, 0, 10), 12.5, 5.0),  # from 0: t²/2
        (_stage(10, 10, 0), 37.5, 5.0),  # down to 0: 10 t - t²/2
        (_stage(4, 1, 3), 3.0, 2.0),  # t + t²/4
        (_stage(10, 5), 0, 0.0),
        (_stage(10, 10, 0), 50, 10.0),  # all of it, at its end
    ],
)
def test_the_cumulative_rate_is_inverted_exactly(stage: Stage, arrivals: float, when: float) -> None:
    """The moment at which so many arrivals are expected, against integrals done by hand."""
    assert stage.when(arrivals) == pytest.approx(when)


@given(_STAGES, st.sampled_from(["constant", "poisson"]))
@settings(max_examples=60, deadline=None, database=None)
def test_every_stage_holds_the_integral_of_its_rate(stages: list[Stage], arrivals: str) -> None:
    """Counts are the integrals, rounding carried on; times ascend, and each lies in its stage."""
    numbers = counts(stages)
    total = sum((s.rate_per_s + s.end_rate_per_s) / 2 * s.duration_s for s in stages)
    assert abs(sum(numbers) - total) <= 0.5 + 1e-6
    assert all(abs(number - stage.expected) <= 1 for number, stage in zip(numbers, stages, strict=True))
    begin = 0.0
    found = list(offsets(stages, arrivals, "seed"))
    assert [len(times) for times in found] == numbers
    for stage, times in zip(stages, found, strict=True):
        assert times == sorted(times)
        assert all(begin - 1e-6 <= time <= begin + stage.duration_s + 1e-6 for time in times)
        begin += stage.duration_s


@given(_STAGES)
@settings(max_examples=60, deadline=None, database=None)
def test_constant_arrivals_come_one_apart_in_the_cumulative_rate(stages: list[Stage]) -> None:
    """Between two neighbours exactly one arrival is expected, within stages and across them."""
    levels, begin, before = [], 0.0, 0.0
    for stage, times in zip(stages, offsets(stages, "constant", ""), strict=True):
        growth = (stage.end_rate_per_s - stage.rate_per_s) / stage.duration_s
        levels += [before + stage.rate_per_s * (t - begin) + growth * (t - begin) ** 2 / 2 for t in times]
        begin, before = begin + stage.duration_s, before + stage.expected
    assert all(b - a == pytest.approx(1.0, abs=1e-4) for a, b in itertools.pairwise(levels))


def test_poisson_arrivals_of_a_ramp_have_its_rate_as_their_density() -> None:
    """From 0 to 100/s in 100 s: a quarter of the arrivals in the first half, gaps as uneven as a Poisson process."""
    (times,) = offsets([_stage(100, 0, 100)], "poisson", "7")
    assert len(times) == 5000
    assert sum(time < 50 for time in times) / 5000 == pytest.approx(0.25, abs=0.02)
    levels = [time**2 / 2 for time in times]  # a Poisson process of rate 1, if the map is right
    gaps = [later - earlier for earlier, later in itertools.pairwise(levels)]
    assert statistics.mean(gaps) == pytest.approx(1.0, abs=0.01)
    assert statistics.stdev(gaps) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("name", ["steady", "steps", "ramp", "spike", "soak", "closed", "preview"])
def test_a_scenario_is_the_same_for_a_seed_and_shared_without_overlap(name: str) -> None:
    """One seed, one schedule; workers get every arrival once; the plan knows the number and the images beforehand."""
    given_size = "512x512=2,1024x1024=1"
    plan = plan_load(MOCK, scenario_name=name, duration_s=30, warmup_s=3, size=given_size, n="1=3,2=1", seed=5)
    schedule = plan.schedule()
    assert (
        schedule
        == plan_load(
            MOCK, scenario_name=name, duration_s=30, warmup_s=3, size=given_size, n="1=3,2=1", seed=5
        ).schedule()
    )
    assert (
        schedule
        != plan_load(
            MOCK, scenario_name=name, duration_s=30, warmup_s=3, size=given_size, n="1=3,2=1", seed=6
        ).schedule()
    )
    assert [arrival.index for arrival in schedule] == list(range(plan.count))
    assert sum(arrival.kind.n for arrival in schedule) == plan.images
    assert all(a.offset_s <= b.offset_s for a, b in itertools.pairwise(schedule))
    ends = dict(
        zip((s.name for s in plan.stages), itertools.accumulate(s.duration_s for s in plan.stages), strict=True)
    )
    assert all(arrival.offset_s <= ends[arrival.stage] for arrival in schedule)
    for processes in (2, 3):
        if plan.loop == "replace":
            continue  # one person, one worker
        shared = [
            arrival for worker in range(processes) for arrival in replace(plan, processes=processes).share(worker)
        ]
        assert sorted(shared, key=lambda arrival: arrival.index) == schedule
    assert LoadPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_client_of_a_closed_loop_stays_with_its_worker() -> None:
    """However many workers: all that one client asks is asked by one of them."""
    plan = plan_load(MOCK, scenario_name="closed", clients=5, processes=3, duration_s=10)
    workers: dict[int, set[int]] = {}
    for worker in range(3):
        for arrival in plan.share(worker):
            workers.setdefault(plan.client_of(arrival.index), set()).add(worker)
    assert sorted(workers) == list(range(5))
    assert all(len(found) == 1 for found in workers.values())


def test_shares_of_a_mix_are_exact_in_every_stage() -> None:
    """Three to one is three to one, to one arrival, and not in blocks."""
    plan = plan_load(MOCK, scenario_name="steps", rate_per_s=40, duration_s=40, size="1024x1024=3,512x512=1")
    for stage in plan.stages:
        kinds = [arrival.kind.size for arrival in plan.schedule() if arrival.stage == stage.name]
        assert abs(kinds.count("512x512") - len(kinds) / 4) < 1
    sizes = [arrival.kind.size for arrival in plan.schedule()]
    assert 1 < max(len(list(group)) for _, group in itertools.groupby(sizes)) < 40
    bodies = [request_of(plan, arrival).fields["size"] for arrival in plan.schedule()]
    assert bodies == sizes


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6), st.integers(0, 500))
@settings(max_examples=100, deadline=None, database=None)
def test_apportioning_loses_nobody(weights: list[float], count: int) -> None:
    """The parts are the whole, and each is its share, to one."""
    found = apportioned([Kind(size=str(i), weight=weight) for i, weight in enumerate(weights)], count)
    assert sum(found) == count
    assert all(abs(part - count * w / sum(weights)) < 1 + 1e-6 for part, w in zip(found, weights, strict=True))


def test_the_largest_remainder_is_rounded_up() -> None:
    """Of 4 arrivals at two to one, 2.67 and 1.33, three and one."""
    assert apportioned([Kind("a", weight=2.0), Kind("b", weight=1.0)], 4) == [3, 1]
    assert apportioned([Kind("a", weight=1.0), Kind("b", weight=2.0)], 4) == [1, 3]


def test_weighted_options_are_combined_and_replace_what_a_file_says(tmp_path: Path) -> None:
    """Every value of one option with every value of the others; a field that no option names stays as the row says."""
    file = tmp_path / "launch.toml"
    file.write_text(
        'statement = "a launch"\nduration_s = 10.0\n[[stage]]\nname = "a"\nphase = "measured"\nof = "duration"\n'
        'share = 1.0\nrate = 0.0\nto = 2.0\n[[mix]]\nsize = "512x512"\nweight = 3\n[[mix]]\nn = 2\n',
        encoding="utf-8",
    )
    plan = plan_load(MOCK, scenario_name=str(file), rate_per_s=8)
    assert plan.scenario == "launch"
    assert plan.by_stage() == [80]
    assert plan.mix == (Kind("512x512", 1, "url", 3.0), Kind("1024x1024", 2, "url", 1.0))
    assert plan.images == 60 + 2 * 20
    mix = plan_load(MOCK, scenario_name=str(file), response_format="url=1,b64_json=1", n=1).mix
    assert Counter({(k.size, k.n, k.response_format): k.weight for k in mix}) == Counter(
        {
            ("512x512", 1, "url"): 3,
            ("512x512", 1, "b64_json"): 3,
            ("1024x1024", 1, "url"): 1,
            ("1024x1024", 1, "b64_json"): 1,
        }
    )
    alike = mixed([Kind("a"), Kind("b")], sizes=parse_weighted("c", "--size"), numbers=None, formats=None)
    assert alike == (Kind("c", weight=2.0),)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": "512x512=0"}, "--size '512x512=0': write one value"),
        ({"size": "512x512,512x512"}, "write one value, or values with weights"),
        ({"size": "512x512=1,64x64=1"}, "--size 64x64: the target declares"),
        ({"n": "1=1,99=1"}, "--n 99: the target declares"),
        ({"n": "two"}, "--n two: not a whole number"),
        ({"response_format": "url=nan"}, "write one value"),
        ({"clients": 3}, "--clients means nothing to the scenario steady"),
        ({"scenario_name": "closed", "rate_per_s": 5}, "--rate means nothing to the scenario closed"),
        ({"scenario_name": "closed", "think_s": 0}, "--think above 0s"),
        ({"scenario_name": "closed", "clients": 2, "processes": 3}, "cannot be shared among so many"),
        ({"scenario_name": "preview", "processes": 2}, "one person types"),
        ({"scenario_name": "preview", "arrivals": "constant"}, "--arrivals means nothing"),
        ({"scenario_name": "nowhere.toml"}, "cannot be read"),
    ],
)
def test_an_option_that_a_scenario_cannot_follow_is_refused(options: dict[str, object], sentence: str) -> None:
    """A sentence that names the option and says why."""
    with pytest.raises(UsageError, match=sentence):
        plan_load(MOCK, **options)  # type: ignore[arg-type]  # wrong on purpose


_STAGE = '[[stage]]\nname = "a"\nphase = "measured"\nof = "duration"\nshare = 1.0\n'
_HEAD = 'statement = "x"\nduration_s = 1.0\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = [", "not TOML"),
        (_HEAD, "'stage' is a required property"),
        (_HEAD + "speed = 3\n" + _STAGE, "'speed' was unexpected"),
        (_HEAD + _STAGE.replace("1.0", "2.0"), "stage.0.share: 2.0 is greater than the maximum"),
        (_HEAD + _STAGE.replace("1.0", "0.5"), "make 0.5: all of it"),
        (_HEAD + _STAGE.replace("1.0", "0.5") * 2, "two stages have the same name"),
        (_HEAD + 'loop = "closed"\n' + _STAGE, "'clients' is a required property"),
        (_HEAD + _STAGE + '[[mix]]\nsize = "512x512"\nweight = 0\n', "mix.0.weight"),
    ],
)
def test_a_scenario_file_that_is_none_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    """The file, the place in it, and what is wrong there."""
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=sentence) as refused:
        scenario(str(file))
    assert "mine.toml" in str(refused.value)


@pytest.mark.parametrize(
    "answered_after_s",
    [
        lambda _: 0.0,  # at once: the most that there can be
        lambda now: 4.0 - now if now < 4.0 else 0.0,  # stands still, then answers all at once: they bunch
        lambda now: 1.5 if int(now) % 2 else 0.0,
    ],
    ids=["at once", "a stall", "by turns"],
)
def test_no_server_makes_a_closed_loop_exceed_what_its_plan_keeps(answered_after_s: Callable[[float], float]) -> None:
    """Where the plan is held to keep a limit, no order of answers lets its clients break it, or ask more."""
    limit = Limit(12, 3.0)
    plan = plan_load(MOCK, scenario_name="closed", clients=3, think_s=1.0, duration_s=30, warmup_s=0)
    require_within(plan, limit)
    begins = [arrival.offset_s for arrival in plan.schedule()[:3]]
    times = []
    for now in begins:
        while now < plan.total_s:
            times.append(now)
            now += answered_after_s(now) + plan.think_s
    times.sort()
    assert len(times) <= plan.count
    for requests, window_s in constraints(limit):
        assert max(sum(1 for other in times if time <= other < time + window_s) for time in times) <= requests
    with pytest.raises(UsageError, match="fewer --clients, or a longer --think"):
        require_within(replace(plan, clients=4), limit)


def test_a_person_types_at_a_seeded_pace() -> None:
    """The gaps of a preview lie where its file says, and vary."""
    plan = plan_load(MOCK, scenario_name="preview", duration_s=60, warmup_s=0)
    times = [arrival.offset_s for arrival in plan.schedule()]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert 0.25 <= min(gaps) < 0.27
    assert 0.48 < max(gaps) <= 0.5
    with pytest.raises(UsageError, match="one person types 160 prompts a minute"):
        require_within(plan, Limit(60))
