"""`testcard history` as it is used: what it prints, writes and ends with, and files that are not what they seem."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import browser
from past_runs import TARGET, answers, load_of, shelve, summary_of
from testcard import schemas
from testcard.core.soundness import misfit
from testcard.core.summary import Summary
from testcard.reports.history.record import (
    BoundPoint,
    Budget,
    Entry,
    History,
    LeftOut,
    LevelChange,
    QuantilePoint,
    Track,
)

SCHEMA = schemas.json_schema("history")
SHAPES: tuple[tuple[type[Any], dict[str, Any]], ...] = (
    (History, SCHEMA),
    (Track, SCHEMA["$defs"]["track"]),
    (Entry, SCHEMA["$defs"]["entry"]),
    (QuantilePoint, SCHEMA["$defs"]["quantilePoint"]),
    (BoundPoint, SCHEMA["$defs"]["boundPoint"]),
    (LevelChange, SCHEMA["$defs"]["levelChange"]),
    (Budget, SCHEMA["$defs"]["budget"]),
    (LeftOut, SCHEMA["$defs"]["leftOut"]),
)
MARKUP = "<img src=x onerror=alert(1)>\x1b[31m\n| @somebody"


def history(*words: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "testcard", "history", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=folder, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def eventful(folder: Path) -> Path:
    """Fourteen nights: a late generator, an interruption, and at last a slower server that breaks a requirement."""
    dice = random.Random(1)
    runs = [
        summary_of(load_of(answers(dice, scale=1.0 + 0.6 * (night == 13)), limited=night), days_ago=13 - night)
        for night in range(14)
    ]
    late = runs[3].load
    assert late is not None
    runs[3] = dataclasses.replace(runs[3], load=dataclasses.replace(late, validity="generator-late"))
    runs[5] = dataclasses.replace(runs[5], ended="interrupted", verdict="interrupted", exit_code=130)
    rows = runs[13].requirements or ()
    broken = dataclasses.replace(rows[0], outcome="fail", actual="prompt: a cat", reproduce="curl -d 'a cat'")
    runs[13] = dataclasses.replace(runs[13], requirements=(broken, *rows[1:]), verdict="broken", exit_code=1)
    return shelve(folder / "runs", *runs)


def test_it_tells_what_changed_and_ends_with_1(tmp_path: Path) -> None:
    """By default of the folder `runs`: the requirement, quantiles, budget, what does not count, what to type."""
    eventful(tmp_path)
    done = history(folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    for told in (
        "staging at https://staging.example.net/v1 · m · dialect page",
        "steady, 10/s poisson, 1024x1024",
        "✗ broke: image.size",
        "generator-late: the figures describe the generator",
        "it did not end complete: interrupted",
        "slower than each of 11 runs before: p50",
        "try  testcard compare runs/012 runs/013",
        "REGRESSION",
    ):
        assert told in done.stdout, told
    budget = re.search(r"p95<=1s +\d+ / \d / \d +[\d,]+ of ([\d,]+) ", done.stdout)
    assert budget is not None
    assert int(budget[1].replace(",", "")) == 12 * 600 + sum(range(14)) - 3 - 5


def test_what_was_broken_before_is_not_forgotten(tmp_path: Path) -> None:
    """Nothing new is no success where a requirement is still broken, a server slower, a budget overspent."""
    dice = random.Random(1)
    runs = [
        summary_of(
            load_of(answers(dice, scale=3.0 if night > 9 else 1.0)), days_ago=24 - night,
            broken=["image.size"] if night > 9 else (),
        )
        for night in range(24)
    ]  # fmt: skip
    done = history(shelve(tmp_path / "runs", *runs), "--out", tmp_path)
    assert done.returncode == 0
    last = " ".join(done.stdout.partition("NO REGRESSION")[2].split())
    for told in ("still broken: image.size", "slower than it was: p50 since", "overspent: p95<=1s"):
        assert told in last, told
    assert "is-inconclusive" in (tmp_path / "history.html").read_text().partition("<main>")[0].rpartition("<header")[2]
    assert (tmp_path / "history.md").read_text().startswith("## ⚠️ NO REGRESSION")


def test_what_is_written_fits_its_schema_and_holds_no_prompt(tmp_path: Path) -> None:
    """--json, history.json, the Markdown and the page: the same history, and nothing that a server or a user wrote."""
    runs = eventful(tmp_path)
    done = history(runs, "--json", "--out", tmp_path / "public")
    found = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(found)
    assert "REGRESSION" in done.stderr
    assert json.loads((tmp_path / "public/history.json").read_text()) == found
    page, markdown = ((tmp_path / "public" / name).read_text() for name in ("history.html", "history.md"))
    assert "image.size" in page
    assert "image.size" in markdown
    assert page.count("<svg class") == 2
    for text in (done.stdout, done.stderr, page, markdown):
        assert "a cat" not in text


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["runs", "--target", "staging"], 1, "REGRESSION"),
        (["runs", "--target", "https://staging.example.net/v1"], 1, "REGRESSION"),
        (["runs", "--target", "production"], 2, "no run is against production: there are runs against staging"),
        (["runs", "--since", "12h"], 0, "1 run of 1 kind"),  # nothing is older to be held against
        (["runs", "--since", "0.5ms"], 2, "no run is so young"),
        (["runs", "--since", "9999999d"], 1, "14 runs of 1 kind"),
        (["runs", "--window", "1ms"], 0, "NO REGRESSION"),
        (["runs/000", "runs/001", "runs/001"], 0, "2 runs of 1 kind"),
        (["elsewhere"], 2, "there is no folder elsewhere"),
        (["empty"], 2, "no run can be read below empty"),
        (["runs", "--since", "soon"], 2, "is not a duration"),
        (["runs", "--out", "a-file/there"], 5, "cannot be written"),
    ],
)
def test_options_choose_runs(tmp_path: Path, words: list[str], code: int, told: str) -> None:
    """Target, time and window; a wrong one is one sentence with exit code 2."""
    eventful(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a-file").write_text("")
    done = history(*words, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert told in done.stdout + done.stderr
    assert code != 2 or not done.stdout


def test_only_summaries_are_read(tmp_path: Path) -> None:
    """A pipe in the place of the records would never end to be read."""
    runs = eventful(tmp_path)
    for directory in runs.iterdir():
        os.mkfifo(directory / "records.jsonl")
    assert history(runs).returncode == 1


def _changed(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], str]:
    def made(data: dict[str, Any]) -> str:
        change(data)
        return json.dumps(data)

    return made


WRONG: tuple[tuple[Callable[[dict[str, Any]], str], str], ...] = (
    (lambda _: "", "it is no JSON"),
    (lambda data: json.dumps(data)[:-40], "it is no JSON"),
    (lambda _: "[" * 100_000, "it is no JSON"),
    (lambda _: "[1]", "is not a summary of testcard"),
    (lambda _: '{"passed": 3, "failed": 0}', "is not a summary of testcard"),
    (lambda _: "\0\1\2", "it is no JSON"),
    (_changed(lambda data: data.update(format=2, testcard="9.0")), "was written by testcard 9.0; update testcard"),
    (_changed(lambda data: data.pop("format")), "writes it anew"),
    (_changed(lambda data: data.update(format="1")), "writes it anew"),
    (_changed(lambda data: data.pop("verdict")), "is damaged"),
    (_changed(lambda data: data.update(verdict="splendid")), "no verdict 'splendid'"),
    (_changed(lambda data: data.update(target="staging")), "target is not an object"),
    (_changed(lambda data: data["target"].update(name=7)), "other than text"),
    (_changed(lambda data: data.update(started_at="yesterday")), "is no time: 'yesterday'"),
    (_changed(lambda data: data.update(requirements={"a": 1})), "requirements is not an array"),
    (_changed(lambda data: data["requirements"].append(None)), "is damaged"),
    (_changed(lambda data: data["requirements"][0].update(outcome="maybe")), "a requirement has no"),
    (_changed(lambda data: data.update(load=[])), "is damaged"),
    (_changed(lambda data: data["load"]["latency_s"].update(p50="fast")), "load.latency_s.p50 is not"),
    (_changed(lambda data: data["load"]["latency_s"].update(p50=float("nan"))), "latency_s.p50 is not"),
    (_changed(lambda data: data["load"]["latency_s"].update(p50=-1.0)), "a number that no load has"),
    (_changed(lambda data: data["load"]["outcomes"].update(limited=10**15)), "a number that no load has"),
    (_changed(lambda data: data["load"]["latency_bounds_s"].update(p50=3)), "is damaged"),
    (_changed(lambda data: data["load"].update(stages=[{"name": "a"}])), "is damaged"),
    (_changed(lambda data: data["load"]["slos"][0].update(misses=10**9)), "says what no bound can"),
    (_changed(lambda data: data["load"]["slos"][0].update(quantile=1)), "says what no bound can"),
    (_changed(lambda data: data["load"]["slos"][0].update(verdict="fine")), "says what no bound can"),
)


def test_a_file_that_is_wrong_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    """Cut, foreign, newer, or made up: one line that names the file, and the other runs are told as ever."""
    runs = shelve(tmp_path / "runs", summary_of(load_of(answers(random.Random(1)))))
    text = (runs / "000/summary.json").read_text()
    for number, (write, _) in enumerate(WRONG):
        (runs / f"wrong-{number}").mkdir()
        (runs / f"wrong-{number}/summary.json").write_text(write(json.loads(text)))
    done = history(runs, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [len(track["entries"]) for track in found["tracks"]] == [1]
    reasons = {Path(left["path"]).name: left["reason"] for left in found["left_out"]}
    assert len(reasons) == len(WRONG)
    for number, (_, told) in enumerate(WRONG):
        assert told in reasons[f"wrong-{number}"]
        assert f"wrong-{number}" in reasons[f"wrong-{number}"]
        assert "\n" not in reasons[f"wrong-{number}"]
    assert "left out: " in done.stderr
    assert f"and {len(WRONG) - 10} more" in done.stderr


def test_what_is_not_finished_or_there_twice_is_left_out(tmp_path: Path) -> None:
    """A run without a summary, a copy, and a summary that may not be read."""
    runs = shelve(tmp_path / "runs", summary_of())
    (runs / "going-on").mkdir()
    (runs / "going-on/records.jsonl").write_text("")
    (runs / "copy").mkdir()
    (runs / "copy/summary.json").write_bytes((runs / "000/summary.json").read_bytes())
    (runs / "folder/summary.json").mkdir(parents=True)
    (runs / "round").symlink_to(runs)
    done = history(runs)
    assert "still going on or was cut off; `testcard report" in done.stdout
    assert re.search(r"runs/(000 is a copy of \S+copy|copy is a copy of \S+000)", done.stdout)
    assert "1 run of 1 kind, 2 directories left out" in done.stdout


def test_a_file_is_no_folder_to_write_into(tmp_path: Path) -> None:
    """The command line is wrong, which is 2 like everywhere, and no error of ours; the file stays."""
    runs = shelve(tmp_path / "runs", summary_of())
    (tmp_path / "file").write_text("mine")
    done = history(runs, "--out", tmp_path / "file")
    assert done.returncode == 2
    assert done.stderr.endswith("is a file: name a folder\n")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_run_hides_none_of_those_below_it(tmp_path: Path) -> None:
    """`--out runs` puts a run into the folder of the others; its evidence holds none."""
    runs = shelve(tmp_path / "runs", *(summary_of(days_ago=nth) for nth in range(3)))
    (runs / "002/summary.json").rename(runs / "summary.json")
    (runs / "evidence").mkdir()
    (runs / "evidence/summary.json").write_text("{")
    done = history(runs)
    assert "3 runs of 1 kind" in done.stdout
    assert "left out" not in done.stdout


def _odd(summary: Summary) -> Summary:
    assert summary.load is not None
    rows = tuple(dataclasses.replace(row, id=MARKUP, outcome="fail") for row in summary.requirements or ())
    slos = tuple(dataclasses.replace(slo, id=MARKUP, verdict="refuted") for slo in summary.load.slos)
    load = dataclasses.replace(summary.load, slos=slos, scenario=MARKUP, size=MARKUP)
    target = dict.fromkeys(("name", "base_url", "model", "dialect"), MARKUP)
    return dataclasses.replace(summary, requirements=rows, load=load, target=target, headline=MARKUP)


def test_names_in_a_file_stay_text(tmp_path: Path) -> None:
    """Markup, control characters and mentions in whatever a summary may name reach no terminal, document or page."""
    dice = random.Random(1)
    runs = [_odd(summary_of(load_of(answers(dice)), days_ago=night)) for night in range(3)]
    done = history(shelve(tmp_path / "runs", *runs), "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    page, markdown = ((tmp_path / name).read_text() for name in ("history.html", "history.md"))
    assert "\x1b" not in done.stdout + page + markdown
    assert "<img" not in page + markdown
    assert "@somebody" not in markdown


@pytest.mark.skipif(browser.found() is None, reason="needs Chromium")
def test_the_page_asks_for_nothing_and_fits(tmp_path: Path) -> None:
    """Opened in a browser: no request, no complaint, and no wider than the screen of a phone."""
    history(eventful(tmp_path), "--out", tmp_path)
    program = browser.found()
    assert program is not None
    with browser.Browser(program) as opened:
        for options in ({}, {"dark": True}, {"width": 390}):
            opened.open(tmp_path / "history.html", **options)
            assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert opened.evaluate("document.querySelectorAll('svg.chart').length") == 2
            assert opened.told("Log.entryAdded", "Runtime.exceptionThrown") == []
            asked = [event["request"]["url"] for event in opened.told("Network.requestWillBeSent")]
            assert asked == [(tmp_path / "history.html").as_uri()]


@pytest.mark.parametrize(("kind", "shape"), SHAPES, ids=lambda value: getattr(value, "__name__", ""))
def test_the_schema_and_the_docs_have_every_field(kind: type[Any], shape: dict[str, Any]) -> None:
    """A field is added to dataclass, schema and docs/history.md together."""
    names = {field.name for field in dataclasses.fields(kind)}
    assert shape["properties"].keys() == names
    assert shape["additionalProperties"] is False
    assert all("description" in said for said in shape["properties"].values())
    required = {field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING}
    assert required <= set(shape["required"])
    page = (Path(__file__).parent.parent / "docs/history.md").read_text()
    assert not [name for name in names if f"`{name}`" not in page]


LOAD = load_of([0.1, 0.2])


def replace_any(record: Any, **values: Any) -> Any:
    """Like `dataclasses.replace`, with values of any type."""
    return dataclasses.replace(record, **values)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, None),
        ({"validity": 3}, "validity"),
        ({"offered_rate_per_s": 10}, None),  # JSON has one kind of number
        ({"offered_rate_per_s": True}, "offered_rate_per_s"),
        ({"duration_s": float("inf")}, "duration_s"),
        ({"clients": "4"}, "clients"),
        ({"arrivals": {"planned": 1.5}}, "arrivals.planned"),
        ({"slos": []}, "slos"),
        ({"slos": ("p95",)}, "slos.0"),
        ({"slos": (replace_any(LOAD.slos[0], asked=1),)}, "slos.0.asked"),
        ({"latency_bounds_s": {"p50": None}}, "latency_bounds_s.p50"),
    ],
)
def test_a_record_is_what_its_annotations_say(values: dict[str, Any], field: str | None) -> None:
    """The first field that is not of its type is named."""
    assert misfit(replace_any(LOAD, **values)) == field


def test_a_target_that_names_nothing_is_shown(tmp_path: Path) -> None:
    """A summary of a target without name, model and dialect."""
    bare = summary_of(target=dict.fromkeys(TARGET))
    assert "unnamed at an unknown address" in history(shelve(tmp_path, bare)).stdout
