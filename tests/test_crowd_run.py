"""Crowds against a real server: every attempt is one record, and the clients do what their policy says."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testcard.core.errors import UsageError
from testcard.core.record import Record
from testcard.core.runfile import RunFile
from testcard.core.target import Limit, Target
from testcard.core.targetfile import profile_target
from testcard.load import plan_load
from testcard.load.payload import request_of
from testcard.mock_server import MockSettings, running
from wild_command import run

TARGET = """
[target]
name = "short"
extends = "mock"
base_url = "{base_url}"
[target.limited]
requests = {requests}
window_s = {window_s}
"""


def sent(
    folder: Path, *options: str, requests: int = 6, window_s: float = 2.0, **settings: Any
) -> tuple[dict[str, Any], list[Record]]:
    """The load part of a summary, and the records of its arrivals, after `testcard load --scenario crowd`."""
    mock = MockSettings(rpm=requests, window_s=window_s, **settings)
    with running(mock) as base_url:
        (folder / "target.toml").write_text(TARGET.format(base_url=base_url, requests=requests, window_s=window_s))
        command = ("load", "--target", "target.toml", "--scenario", "crowd", "--size", "512x512", "--out", "out")
        done = run(folder, *command, *options, keys={})
    assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    return summary["load"], [record for record in RunFile(folder / "out").records() if record.outcome]


def test_a_crowd_is_served_in_two_windows(tmp_path: Path) -> None:
    """Eleven clients at a limit of six: five are told to wait, come back together, and are served."""
    load, records = sent(tmp_path, "--clients", "11", "--duration", "300ms", limiter="fixed-first")
    crowd = load["crowd"]["crowds"][0]
    assert load["crowd"]["key"] == "limited"
    assert {record.key for record in records} == {"limited"}
    assert (crowd["succeeded"], crowd["failed"], crowd["attempts"]) == (11, 0, 16)
    assert (crowd["admitted"], crowd["limited"], crowd["longest_attempts"]) == (11, 5, 2)
    assert Counter(record.outcome for record in records) == {"valid": 11, "limited": 5}
    arrivals, outcomes = load["arrivals"], load["outcomes"]
    assert arrivals == {"planned": 16, "sent": 16, "dropped": 0, "answered": 16, "lost": 0}
    assert sum(outcomes.values()) == 16
    by_client: dict[int | None, list[Record]] = {}
    for record in records:
        by_client.setdefault(record.client, []).append(record)
    assert set(by_client) == set(range(11))
    for own in by_client.values():
        assert [record.attempt for record in sorted(own, key=lambda record: record.planned_s)] == list(
            range(1, len(own) + 1)
        )
        if len(own) == 2:
            first, second = sorted(own, key=lambda record: record.attempt)
            told = next(value for name, value in first.headers if name.lower() == "retry-after")
            assert first.last_byte_s is not None
            # Asked again when told, counted from the answer: the policy adds no chance to that.
            assert second.planned_s - first.last_byte_s == pytest.approx(float(told), abs=0.25)


def test_every_report_shows_the_crowd(tmp_path: Path) -> None:
    """Page, Markdown and terminal say in a sentence what the clients lived through, beside what was to be expected."""
    sent(tmp_path, "--clients", "3", "--duration", "100ms", requests=2, window_s=1.0)
    again = run(tmp_path, "report", "out", keys={})
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for text in (page, (tmp_path / "out" / "summary.md").read_text(encoding="utf-8"), again.stdout + again.stderr):
        plain = " ".join(re.sub(r"<[^>]+>|&#\d+;|\\", " ", text).split())
        assert "Of 3 openai python clients that ask within" in plain.replace("-", " ")
        assert "simulated" in plain


def test_one_crowd_after_another(tmp_path: Path) -> None:
    """With two policies the second crowd finds its window empty, and each has figures of its own."""
    options = ("--clients", "4", "--duration", "100ms", "--policy", "naive-at-once", "--policy", "openai-node")
    load, records = sent(tmp_path, *options, requests=3, window_s=1.0)
    first, second = load["crowd"]["crowds"]
    assert (first["policy"], first["succeeded"], first["failed"], first["attempts"]) == ("naive-at-once", 3, 1, 6)
    assert (second["policy"], second["succeeded"], second["failed"], second["attempts"]) == ("openai-node", 4, 0, 5)
    last = max(record.planned_s for record in records if record.stage == "naive-at-once")
    assert min(record.planned_s for record in records if record.stage == "openai-node") - last >= 2.0
    assert load["arrivals"]["planned"] == 11
    assert "naive-at-once" in first["sentence"]


def test_a_dishonest_server_is_seen_in_the_figures(tmp_path: Path) -> None:
    """Where Retry-After is always 1 and the window is longer, clients who obey it give up without a picture."""
    early = {"limiter": "fixed-first", "faults": ("retry-after-constant",)}
    load, _ = sent(tmp_path, "--clients", "5", "--duration", "100ms", requests=3, window_s=4.0, **early)
    (crowd,) = load["crowd"]["crowds"]
    assert (crowd["succeeded"], crowd["failed"], crowd["longest_attempts"]) == (3, 2, 3)
    assert "2 are left with an error after up to 3 attempts" in crowd["sentence"]


def target() -> Target:
    return replace(profile_target("mock"), limited=Limit(10, 60.0))


def test_the_plan_holds_the_most_that_there_can_be() -> None:
    """Requests and images are those of clients who all use up their retries; who repeats asks for the same again."""
    plan = plan_load(target(), scenario_name="crowd", clients=7, policies=("openai-python", "naive-fixed"))
    assert (plan.count, plan.images) == (7 * 3 + 7 * 11, 7 * 3 + 7 * 11)
    arrivals = plan.schedule()
    assert [arrival.index for arrival in arrivals] == list(range(plan.count))
    bodies: dict[tuple[str, int | None], set[bytes | None]] = {}
    for arrival in arrivals:
        bodies.setdefault((arrival.stage, arrival.client), set()).add(request_of(plan, arrival).body)
    assert all(len(own) == 1 for own in bodies.values())
    assert len({body for own in bodies.values() for body in own}) == 14
    assert plan.latest_s >= plan.total_s > 10.0
    assert not plan.keeps(Limit(10_000, 60.0))
    assert type(plan).from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate_per_s": 5.0}, "--rate"),  # a crowd has clients and a span
        ({"think_s": 5.0}, "--think"),
        ({"processes": 2}, "--processes"),  # crowds follow each other
        ({"warmup_s": 5.0}, "--warmup"),  # would use up the limit
        ({"policies": ("curl",)}, "--policy curl"),
        ({"policies": ("openai-node", "openai-node")}, "only once"),
        ({"clients": 0}, "--clients"),
        ({"scenario_name": "steady", "policies": ("openai-node",)}, "--policy"),
    ],
)
def test_what_means_nothing_to_a_crowd_is_refused(options: dict[str, Any], says: str) -> None:
    """Options of other scenarios are named, before anything is sent."""
    with pytest.raises(UsageError, match=says):
        plan_load(target(), **({"scenario_name": "crowd"} | options))


def test_a_crowd_needs_the_key_and_the_consent_that_it_uses(tmp_path: Path) -> None:
    """Without the limited key it says which variable to set; off loopback it needs host, budget and --above-limit."""
    live = '[target]\nbase_url = "https://api.example.net/v1"\nmodel = "m"\n[target.limited]\nrequests = 5\n'
    (tmp_path / "live.toml").write_text(live)
    command = ["load", "--target", "live.toml", "--scenario", "crowd"]
    steps = [
        ([], "TESTCARD_LIMITED_KEY"),
        ([], "--confirm-host api.example.net"),
        (["--confirm-host", "api.example.net"], "--budget-images"),
        (["--confirm-host", "api.example.net", "--budget-images", "60"], "--above-limit"),
    ]
    keys: dict[str, str] = {}
    for options, says in steps:
        done = run(tmp_path, *command, *options, keys=keys)
        assert done.returncode == 2, done.stderr
        assert says in done.stderr
        keys = {"TESTCARD_LIMITED_KEY": "sk-nobody-limited", "TESTCARD_API_KEY": "sk-nobody"}


def test_the_plan_command_foresees_the_crowd(tmp_path: Path) -> None:
    """`testcard plan --scenario crowd` says the most requests, images and minutes, and what is likely to happen."""
    done = run(tmp_path, "plan", "--target", "mock", "--scenario", "crowd", "--clients", "40", "--json", keys={})
    load = json.loads(done.stdout)["load"]
    assert (load["requests"], load["images"], load["at_most"]) == (120, 120, True)
    assert any("30 get a picture" in sentence for sentence in load["forecast"])
    assert "10 requests in 60 s" in load["limit"]
