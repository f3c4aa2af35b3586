"""A history: what broke and healed, what became slower, and what is left of an SLO's budget, judged run by run."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from past_runs import NOW, TARGET, answers, load_of, shelve, summary_of
from testcard.core.share import share_at_least, share_at_most
from testcard.core.summary import LoadSummary, Summary
from testcard.load.verdict import certifies, refutes
from testcard.reports.history import History, Track, assemble, gather
from testcard.reports.history.changepoint import FEWEST, change

DAY_S = 86_400.0
LOCAL = {"name": "mine", "base_url": "http://127.0.0.1:1/v1"}


def history_of(folder: Path, *summaries: Summary, **options: Any) -> History:
    """The history of these runs, as `testcard history` makes it."""
    pasts, left_out = gather([shelve(folder, *summaries)])
    assert not left_out
    chosen: dict[str, Any] = {"now": NOW + timedelta(minutes=1), "window_s": 30 * DAY_S} | options
    return assemble(pasts, left_out, **chosen)


def track_of(folder: Path, *summaries: Summary, **options: Any) -> Track:
    (track,) = history_of(folder, *summaries, **options).tracks
    return track


def nights(*summaries: Summary) -> list[Summary]:
    """One a night, the last today."""
    begin = len(summaries) - 1
    return [
        dataclasses.replace(summary, started_at=(NOW - timedelta(days=begin - night)).isoformat())
        for night, summary in enumerate(summaries)
    ]


def loads(*scales: float, seed: int = 1, **changes: Any) -> list[Summary]:
    """A load a night, of a server that is slower by these factors."""
    dice = random.Random(seed)
    return nights(*(summary_of(load_of(answers(dice, scale=scale), bound_s=5.0, **changes)) for scale in scales))


GOOD, BAD, BLIND = summary_of(), summary_of(broken=["image.size"]), summary_of(unjudged=["image.size"])


@pytest.mark.parametrize(
    ("runs", "kinds", "regressed"),
    [
        ([BAD], [""], False),  # the first run has nothing before it
        ([GOOD, BAD], ["", "broke"], True),
        ([GOOD, BAD, BAD], ["", "broke", ""], False),  # told once
        ([BAD, GOOD], ["", "healed"], False),
        ([GOOD, BLIND, BAD], ["", "unjudged", "broke"], True),
        ([GOOD, BLIND, BLIND], ["", "unjudged", ""], False),
        ([GOOD, BLIND, GOOD], ["", "unjudged", ""], False),
        ([BAD, BLIND, GOOD], ["", "unjudged", "healed"], False),  # a run that could not see it hides nothing
        ([BAD, BLIND, BAD], ["", "unjudged", ""], False),
        ([GOOD, summary_of(broken=["image.size"], known=["image.size"])], ["", ""], False),  # accepted until a date
        ([summary_of(ids=["image.count"]), GOOD], ["", ""], False),  # judged for the first time
        ([GOOD, summary_of(broken=["image.size"], ended="interrupted", code=130)], ["", ""], False),
        ([GOOD, summary_of(broken=["image.size"], ended="cut-off", code=4), BAD], ["", "", "broke"], True),
    ],
)
def test_a_requirement_breaks_and_heals_against_the_last_time_that_it_was_decided(
    tmp_path: Path, runs: Sequence[Summary], kinds: list[str], regressed: bool
) -> None:
    """What is told of each run, and whether the newest one makes the exit code 1."""
    history = history_of(tmp_path, *nights(*runs))
    (track,) = history.tracks
    told = [next((c.kind for c in entry.changes if c.id == "image.size"), "") for entry in track.entries]
    assert told == kinds
    assert history.regressed is regressed
    assert not regressed or "image.size broke" in track.regressions[0]


KEPT, OPEN, REFUTED = (summary_of(load_of([0.5] * (400 - late) + [2.0] * late)) for late in (2, 22, 60))
LATE = dataclasses.replace(REFUTED, load=load_of([0.5] * 340 + [2.0] * 60, validity="generator-late"))


@pytest.mark.parametrize(
    ("runs", "kinds", "regressed"),
    [
        ([REFUTED], [""], False),
        ([KEPT, REFUTED], ["", "broke"], True),
        ([KEPT, REFUTED, REFUTED], ["", "broke", ""], False),
        ([KEPT, OPEN, REFUTED], ["", "unjudged", "broke"], True),
        ([KEPT, OPEN, KEPT], ["", "unjudged", ""], False),
        ([REFUTED, OPEN, KEPT], ["", "unjudged", "healed"], False),
        ([KEPT, LATE], ["", ""], False),  # the generator was late, not the server
        ([KEPT, LATE, REFUTED], ["", "", "broke"], True),
    ],
)
def test_an_slo_breaks_and_heals_against_the_last_time_that_it_was_decided(
    tmp_path: Path, runs: Sequence[Summary], kinds: list[str], regressed: bool
) -> None:
    """Of an SLO that was asked for; too few samples decide nothing."""
    history = history_of(tmp_path, *nights(*runs))
    (track,) = history.tracks
    assert [next((c.kind for c in entry.changes), "") for entry in track.entries] == kinds
    assert history.regressed is regressed


USUAL = [1.0, 1.02, 0.98, 1.01, 1.0, 0.99, 1.0, 1.02, 0.98, 1.0]


@pytest.mark.parametrize(
    ("scales", "verdict", "regressed"),
    [
        ([1.0, 1.0], "same", False),
        ([1.0, 1.5], "slower", False),  # as `compare` says of two runs; and it may be the night
        ([1.5, 1.0], "faster", False),
        ([1.5, 1.0, 1.5], "same", False),  # slower than last night, and than every night it is not
        ([*USUAL, 1.5], "slower", True),
        ([*USUAL[1:], 1.5], "slower", False),  # nine nights are too few
        ([*USUAL, 1.5, 1.5], "same", False),  # told once
        ([*USUAL, 1.5, 1.0], "same", False),
        ([*USUAL, 0.5], "faster", False),
        ([1.5, *USUAL, 1.5], "same", False),
        ([*USUAL, 1.04], "same", False),  # certain or not, 4 % is no change
    ],
)
def test_slower_is_slower_than_every_run_of_the_level_before(
    tmp_path: Path, scales: list[float], verdict: str, regressed: bool
) -> None:
    """It is marked by the rule of `compare` against each of them, and a regression where there are ten."""
    history = history_of(tmp_path, *loads(*scales))
    assert history.tracks[0].entries[-1].quantiles[0].verdict == verdict
    assert history.regressed is regressed


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: dataclasses.replace(run, load=dataclasses.replace(run.load, validity="generator-late")),
        lambda run: dataclasses.replace(run, ended="interrupted", verdict="interrupted", exit_code=130),
        lambda run: dataclasses.replace(run, load=dataclasses.replace(run.load, loop="replace")),
        lambda run: dataclasses.replace(run, load=dataclasses.replace(run.load, latency_bounds_s=None)),
    ],
    ids=["generator-late", "interrupted", "preview", "older version"],
)
def test_what_does_not_count_is_shown_and_held_against_nothing(
    tmp_path: Path, spoil: Callable[[Summary], Summary]
) -> None:
    """A late generator, an interruption, a preview or missing bounds: no run is slower for it, before or after."""
    usual, slow, again = loads(1.0, 3.0, 1.0)
    history = history_of(tmp_path, usual, spoil(slow), again)
    entries = sorted((entry for track in history.tracks for entry in track.entries), key=lambda e: e.started_at)
    assert [{point.verdict for point in entry.quantiles} for entry in entries] == [{"first"}, {"not-judged"}, {"same"}]
    assert not history.regressed


def test_a_lasting_change_is_told_once_and_stays_told(tmp_path: Path) -> None:
    """Of 10 % more from one night on: where it began, with which run it was certain, and no regression after that."""
    dice = random.Random(5)
    scales = [dice.lognormvariate(0, 0.03) * (1.12 if night >= 20 else 1.0) for night in range(32)]
    runs = loads(*scales, seed=2)
    found = track_of(tmp_path / "all", *runs).changes
    assert {level.quantile for level in found} >= {"p50", "p95"}
    for level in found:
        assert level.verdict == "slower"
        assert abs(int(Path(level.run).name) - 20) <= 1
    first = next(level for level in found if level.quantile == "p50")
    shown = int(Path(first.shown_by).name)
    at_once = track_of(tmp_path / "then", *nights(*runs[: shown + 1]))
    assert any("p50 is slower for good" in told for told in at_once.regressions)
    assert (at_once.changes[-1].before_s, at_once.changes[-1].after_s) > (0, 0)
    later = track_of(tmp_path / "later", *nights(*runs[: shown + 2]))
    assert [level.run[-3:] for level in later.changes] == [level.run[-3:] for level in found[: len(later.changes)]]
    assert not any("p50 is slower for good" in told for told in later.regressions)


def watched(values: Sequence[float], least: float = 0.05) -> list[int]:
    """Where changes were found, value by value, as a track looks for them."""
    begin, found = 0, []
    for end in range(1, len(values) + 1):
        split = change(values[begin:end], least)
        if split is not None:
            begin += split
            found.append(begin)
    return found


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1.0] * 40, []),
        ([1.0 + k / 1000 for k in range(6)] + [2.0 + k / 1000 for k in range(5)], []),  # 11 runs have too few orders
        ([1.0 + k / 1000 for k in range(6)] + [2.0 + k / 1000 for k in range(6)], [6]),
        ([1.0 + k / 9000 for k in range(20)] + [1.02 + k / 9000 for k in range(20)], []),  # certain, and 2 % only
        ([1.0] * 15 + [9.0] + [1.0] * 15, []),  # one slow night
        ([1.0] * 20 + [1.5] * 10 + [1.0] * 20, [20, 30]),  # slower for a while
        ([1.0] * 150 + [1.5] * 12, [150]),  # further back than is looked
    ],
)
def test_a_lasting_change_is_what_stays(values: list[float], found: list[int]) -> None:
    """Sequences with and without a change of level."""
    assert watched(values) == found


def test_nothing_changes_in_runs_of_a_server_that_does_not() -> None:
    """Fifteen sequences of 120 nights, some of them wild: 1,800 looks and about one in 400 wrong at most."""
    dice = random.Random(11)
    wild = [[dice.lognormvariate(0, 0.05 * (1 + row % 4)) for _ in range(120)] for row in range(15)]
    assert sum(len(watched(values, least=0.0)) for values in wild) <= 1800 / 400
    assert FEWEST <= 12


def test_an_error_budget_adds_up_the_arrivals_of_the_window(tmp_path: Path) -> None:
    """5 % of the arrivals of the counted runs may be late; 429s count as late, older runs don't count."""
    dice = random.Random(1)
    late = [[0.5] * 970 + [2.0] * 30 for _ in range(4)]
    for samples in late:
        dice.shuffle(samples)
    runs = [summary_of(load_of(samples), days_ago=night) for night, samples in enumerate(late)]
    runs.append(summary_of(load_of([0.5] * 980, limited=20), days_ago=5))
    runs.append(summary_of(load_of([2.0] * 1000), days_ago=31))
    runs.append(summary_of(load_of([2.0] * 1000, validity="generator-late"), days_ago=2.5))
    (budget,) = track_of(tmp_path, *runs).budgets
    assert (budget.id, budget.runs, budget.samples, budget.misses) == ("p95<=1s", 5, 5000, 140)
    assert (budget.allowed, budget.left_share, budget.verdict) == (250.0, 0.44, "kept")
    assert budget.share_lower < 0.028 < budget.share_upper < 0.05
    assert (budget.kept, budget.refuted, budget.inconclusive) == (5, 0, 0)


def test_runs_that_differ_count_for_fewer(tmp_path: Path) -> None:
    """The same share of late arrivals in one bad night of six is less certain than spread over all of them."""

    def upper(name: str, *misses: int) -> float:
        runs = nights(*(summary_of(load_of([0.5] * (500 - n) + [2.0] * n)) for n in misses))
        (budget,) = track_of(tmp_path / name, *runs).budgets
        assert budget.misses == 60
        return budget.share_upper

    assert upper("even", 10, 11, 9, 10, 12, 8) < 0.03 < 0.05 < upper("one", 60, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "change_of", [{"stage": "20/s"}, {"samples_of": "glances"}, {"samples": 0, "misses": 0}, {"asked": False}]
)
def test_what_is_no_sample_of_arrivals_is_not_added_up(tmp_path: Path, change_of: dict[str, Any]) -> None:
    """The worst stage of each run, glances at a screen, bounds that nothing was measured for, or nobody asked for."""
    load = load_of(answers(random.Random(1)))
    odd = dataclasses.replace(load, slos=(dataclasses.replace(load.slos[0], **change_of),))
    assert track_of(tmp_path, summary_of(odd)).budgets == ()


def test_a_budget_that_is_overspent_is_news_once(tmp_path: Path) -> None:
    """No single run refutes its SLO; all together do, and the run with which they do makes the exit code 1."""
    runs = nights(*(summary_of(load_of([0.5] * 377 + [2.0] * 23)) for _ in range(14)))
    assert all(run.load is not None and run.load.slos[0].verdict == "inconclusive" for run in runs)
    told = [track_of(tmp_path / str(n), *nights(*runs[:n])).regressions for n in range(2, 15)]
    assert sum(any("error budget of p95<=1s is overspent" in line for line in lines) for lines in told) == 1


@pytest.mark.parametrize(
    ("other", "tracks"),
    [
        ({}, 1),
        ({"size": "512x512"}, 2),
        ({"mix": "512x512 50 %, 1024x1024 50 %"}, 2),
        ({"scenario": "soak"}, 2),
        ({"offered_rate_per_s": 10.04}, 1),
        ({"offered_rate_per_s": 20.0}, 2),
        ({"loop": "closed", "clients": 4, "think_s": 1.0}, 2),
    ],
)
def test_runs_of_one_kind_stand_together(tmp_path: Path, other: dict[str, Any], tracks: int) -> None:
    """Loads of another size, mix, scenario, rate or loop are another track."""
    load: LoadSummary = load_of(answers(random.Random(1)))
    runs = nights(summary_of(load), summary_of(dataclasses.replace(load, **other)))
    assert len(history_of(tmp_path, *runs).tracks) == tracks


@pytest.mark.parametrize(
    ("first", "second", "tracks"),
    [
        (TARGET, TARGET | {"name": "renamed"}, 1),
        (TARGET, TARGET | {"model": "other"}, 2),
        (TARGET, TARGET | {"base_url": "https://api.example.net/v1"}, 2),
        # the bundled mock has another port in every run
        (LOCAL | {"name": "mock"}, LOCAL | {"name": "mock", "base_url": "http://127.0.0.1:2/v1"}, 1),
        (LOCAL, LOCAL | {"base_url": "http://127.0.0.1:2/v1"}, 2),
    ],
)
def test_targets_are_told_apart(tmp_path: Path, first: dict[str, Any], second: dict[str, Any], tracks: int) -> None:
    """By address, model and dialect; a name is only a name."""
    runs = nights(summary_of(target=first), summary_of(target=second))
    assert len(history_of(tmp_path, *runs).tracks) == tracks


def test_a_track_that_nobody_runs_any_more_has_no_news(tmp_path: Path) -> None:
    """Its newest run is older than the window: it is shown, and does not fail a job for ever."""
    runs = [summary_of(days_ago=50), summary_of(days_ago=49, broken=["image.size"])]
    assert not history_of(tmp_path / "old", *runs).regressed
    assert history_of(tmp_path / "wide", *runs, window_s=60 * DAY_S).regressed


@pytest.mark.parametrize(("count", "n"), [(0, 59), (0, 58), (3, 100), (50, 50), (0, 0), (7, 1000), (995, 1000)])
def test_the_bounds_of_a_share_are_where_verdicts_turn(count: int, n: int) -> None:
    """Clopper and Pearson's bounds and the exact tests of a load's verdicts are two sides of one thing."""
    upper, lower = share_at_most(count, n, 0.95), share_at_least(count, n, 0.95)
    assert 0 <= lower <= (count / n if n else 1) <= upper <= 1
    if 0 < upper < 1:
        assert certifies(n, count, 1 - upper - 1e-6, 0.95)
        assert not certifies(n, count, 1 - upper + 1e-6, 0.95)
    if 0 < lower < 1:
        assert refutes(n, count, 1 - lower + 1e-6, 0.95)
        assert not refutes(n, count, 1 - lower - 1e-6, 0.95)
