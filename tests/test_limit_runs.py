"""The scenario `limit` in real time: who lies is named by the requirement that it breaks, who is honest by none."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from testcard import schemas
from testcard.core.budget import Budget
from testcard.core.redact import Redactor
from testcard.core.runfile import Footer, Header, RunFile, RunWriter
from testcard.core.summary import Summary
from testcard.core.target import Keyring
from testcard.core.targetfile import find_target
from testcard.load import plan_load
from testcard.load.limitlab.laboratory import Laboratory
from testcard.mock_server import MockSettings, running
from testcard.reports.breakdown import tables
from wild_check import VARIABLES, declared, environment
from wild_command import run, started, summary, wait_until, write_target
from wild_limits import (
    AlwaysOne,
    Bounded,
    CountsRefusals,
    HangsUp,
    Jittered,
    NeverLess,
    OneMore,
    OnlyPicturesCount,
    SometimesUnavailable,
    Unavailable,
)
from wild_server import KEYS, MODEL, serving

REQUESTS, WINDOW_S = 4, 3.0
TRIED: tuple[type[Bounded], ...] = (
    # what comes over the limit is no 429
    Unavailable, HangsUp,
    # more passes than is declared
    OneMore,
    # the wait is too short; a refusal postpones it; headers that never change
    AlwaysOne, CountsRefusals, NeverLess,
    # honest: 503s at random, a jitter, only pictures count
    SometimesUnavailable, Jittered, OnlyPicturesCount,
)  # fmt: skip


def investigate(kind: type[Bounded], folder: Path) -> dict[str, str]:
    """Look for the limit of a server of that kind, in this process: what is broken, and how."""
    wild = kind(REQUESTS, WINDOW_S)
    with serving(wild) as base_url:
        given = {name: value for name, value in declared(wild, base_url).items() if value is not None}
        target = find_target(None, given, Path("/nonexistent"))
        assert target is not None
        plan = plan_load(target, scenario_name="limit", duration_s=2 * WINDOW_S)
        assert plan.limit is not None
        header = Header("0", "load", "2026-11-22T12:00:00Z", target.describe(), 1, (), plan.to_json(), {})
        writer = RunWriter(folder, header, Redactor(()))
        Laboratory(
            plan,
            plan.limit,
            target,
            Keyring(target, environment(wild)),
            writer=writer,
            redactor=Redactor(()),
            budget=Budget(None, None, None),
            started=time.monotonic(),
        ).run()
        writer.end(Footer("complete", "2026-11-22T12:00:00Z", writer.records, None))
    return {one.requirement: one.actual for one in RunFile(folder).findings() if not one.held}


def test_liars_are_named_and_nobody_else(tmp_path: Path) -> None:
    """Servers that share no line with the mock, all at once: each is accused of what it does, or of nothing."""
    with ThreadPoolExecutor(len(TRIED)) as pool:
        found = dict(zip(TRIED, pool.map(lambda kind: investigate(kind, tmp_path / kind.__name__), TRIED), strict=True))
    wrong = {
        kind.__name__: said
        for kind, said in found.items()
        if not ({*kind.breaks} & {*said} if kind.breaks else not said)
    }
    assert wrong == {}
    assert found[Unavailable]["limit.enforced"].startswith("a 503 in its place")
    assert found[HangsUp]["limit.enforced"].startswith("a closed connection in its place")


def lab(folder: Path, base_url: str, **fields: Any) -> tuple[str, ...]:
    """The command that looks for the limit of 5 requests in 2 s of a mock, or of what else is declared."""
    limited = {"requests": 5, "window_s": 2.0}
    write_target(folder, {"name": "lab", "extends": "mock", "base_url": base_url, "limited": limited, **fields})
    return ("load", "--target", "target.toml", "--scenario", "limit", "--out", "run")


MOCK_KEYS: Mapping[str, str] = {
    "TESTCARD_API_KEY": "sk-aig-mock-funded",
    "TESTCARD_SECOND_KEY": "sk-aig-mock-second",
    "TESTCARD_LIMITED_KEY": "sk-aig-mock-limited",
}


def test_a_limit_is_found_out_with_one_image(tmp_path: Path) -> None:
    """Bodies that are refused count, so one picture is enough; limit, honesty and scope stand in the summary."""
    with running(MockSettings(rpm=5, window_s=2.0, limiter="fixed-first")) as base_url:
        done = run(tmp_path, *lab(tmp_path, base_url), "--duration", "4s", keys=MOCK_KEYS)
    written = summary(tmp_path / "run")
    found = written["load"]["limit"]
    assert done.returncode == 0
    Draft202012Validator(schemas.json_schema("summary")).validate(written)
    assert Summary.from_json(written).to_json() == written
    assert written["cost"]["images"] == 1
    assert found["requests"] == written["cost"]["requests"] == len(found["timeline"]) + 1
    assert found["limiter"]["limit"] == 5
    assert found["limiter"]["sentence"].rstrip(".") in " ".join(done.stdout.split())
    assert found["admission"]["refused_bodies_count"] is True
    assert found["scope"] == "per-key"
    assert found["retry_after"]["forms"] == {"seconds": found["retry_after"]["refusals"]}
    assert [wait["after"] for wait in found["waits"]] == ["admitted", "admitted"]
    assert found["waits"][1]["half_way"] == "refused"
    assert {row["id"]: row["outcome"] for row in written["requirements"]}["limit.retry-after-honest"] == "pass"
    titles = [table.title for table in tables(Summary.from_json(written).load)]  # type: ignore[arg-type]  # it has one
    assert titles[:2] == ["Limit", "Retry-After"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Admissions and refusals" in page
    assert "sk-aig" not in page


def test_a_limit_that_was_used_up_before_is_found_out_after_a_rest(tmp_path: Path) -> None:
    """What somebody else did with the key just before is waited for, told, and in no figure of the limiter."""
    wild = OnlyPicturesCount(REQUESTS, WINDOW_S)
    with serving(wild) as base_url:
        write_target(tmp_path, {name: value for name, value in declared(wild, base_url).items() if value is not None})
        asked = {"model": MODEL, "prompt": "somebody else's"}
        headers = {"Authorization": f"Bearer {KEYS['limited']}"}
        while httpx.post(f"{base_url}/images/generations", json=asked, headers=headers).status_code != 429:
            pass
        command = ("load", "--target", "target.toml", "--scenario", "limit", "--duration", "6s", "--out", "run")
        done = run(tmp_path, *command, keys=environment(wild))
    found = summary(tmp_path / "run")["load"]["limit"]
    assert (done.returncode, found["limiter"]["limit"]) == (0, REQUESTS), done.stdout
    assert found["admission"]["refused_bodies_count"] is False
    assert any("used up before" in note for note in found["notes"])


def test_an_interrupted_search_keeps_what_it_saw(tmp_path: Path) -> None:
    """Ctrl-C ends it with 130; the records of the requests stand in the summary."""
    with running(MockSettings(rpm=5, window_s=2.0)) as base_url:
        command = lab(tmp_path, base_url)
        with started(tmp_path, *command, keys=MOCK_KEYS) as process:
            wait_until(lambda: recorded(tmp_path) >= 4)
            process.send_signal(signal.SIGINT)
            process.communicate()
    assert process.returncode == 130
    written = summary(tmp_path / "run")
    assert written["load"]["limit"]["requests"] == written["cost"]["requests"] >= 4


def recorded(folder: Path) -> int:
    """How many requests stand in the run's file."""
    path = folder / "run" / "records.jsonl"
    return path.read_text(encoding="utf-8").count('"outcome"') if path.exists() else 0


def test_a_server_that_dies_is_no_verdict(tmp_path: Path) -> None:
    """Once nothing answers any more the search ends, says so, and exits with 3."""
    wild = Bounded(3, 1.0)
    with serving(wild) as base_url:
        fields = {name: value for name, value in declared(wild, base_url).items() if value is not None}
        write_target(tmp_path, {"name": "lab", **fields})
        keys = {VARIABLES[role]: KEYS[role] for role in wild.keys}
        command = ("load", "--target", "target.toml", "--scenario", "limit", "--out", "run")
        with started(tmp_path, *command, keys=keys) as process:
            wait_until(lambda: recorded(tmp_path) >= 4)
            wild.stop()
            wild.answer = _hang_up  # type: ignore[method-assign,assignment]  # connections that are open live on
            said = process.communicate()[0]
    assert process.returncode == 3
    assert "could not be looked at to its end" in " ".join(said.split())


def _hang_up(_: object) -> None:
    raise ConnectionResetError


def test_a_key_that_opens_nothing_has_no_limit_to_see(tmp_path: Path) -> None:
    """A limited key that is answered 401 ends it at the first request, and the sentence names its variable."""
    wild = Bounded(3, 1.0)
    with serving(wild) as base_url:
        fields = {name: value for name, value in declared(wild, base_url).items() if value is not None}
        write_target(tmp_path, {"name": "lab", **fields})
        keys = {VARIABLES["main"]: KEYS["main"], VARIABLES["limited"]: "nobody's"}
        command = ("load", "--target", "target.toml", "--scenario", "limit", "--out", "run")
        done = run(tmp_path, *command, keys=keys)
    assert done.returncode == 3
    assert "TESTCARD_LIMITED_KEY" in done.stdout
    assert summary(tmp_path / "run")["cost"]["requests"] == 1
