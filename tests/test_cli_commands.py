"""The console script, command by command: what it prints, what it leaves, what it ends with."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from scripted import Received, reply, scripted
from testcard import schemas
from testcard.cli import COMMANDS
from testcard.cli.explain import explain
from testcard.core.outcome import EXIT_CODES, LOAD_OUTCOMES, OUTCOMES
from testcard.mock_server import FAULTS, MockSettings, running

SCRIPT = Path(sys.executable).with_name("testcard")
KEY = "sk-of-the-user-0123456789"
REPORTS = {"records.jsonl", "summary.json", "summary.md", "report.html", "junit.xml"}
ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with running(MockSettings(window_s=2.0, faults=("get-200",))) as url:
        yield url


@pytest.fixture
def shut() -> Iterator[socket.socket]:
    """A port at which somebody listens whom nobody may call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def cli(folder: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The console script in a folder, with nothing of ours in its environment."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("TESTCARD", "OPENAI", "PYTEST"))}
    return subprocess.run(
        [SCRIPT, *options], cwd=folder, env={**usual, **environ}, capture_output=True, text=True, timeout=120,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def summary(text: str) -> dict[str, Any]:
    """Exactly one JSON document that is a summary."""
    told: dict[str, Any] = json.loads(text)
    jsonschema.validate(told, schemas.json_schema("summary"))
    return told


def sentence(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one sentence on standard error with which a command ended."""
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_help_waits_for_nothing_heavy() -> None:
    """`testcard --help` imports no pytest, hypothesis, httpx, locust and rich; every command stands in it."""
    command = [sys.executable, "-X", "importtime", "-m", "testcard", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert not {"pytest", "_pytest", "hypothesis", "httpx", "locust", "gevent", "rich", "starlette", "PIL"} & loaded
    assert all(f"  {command} " in done.stdout for command in COMMANDS)
    assert "Examples:" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, tmp_path: Path) -> None:
    """With examples, except where there is nothing to say; and it touches nothing."""
    done = cli(tmp_path, command, "--help")
    assert done.returncode == 0
    assert "Usage: testcard" in done.stdout
    assert not list(tmp_path.iterdir())


def test_run_does_the_main_job_on_the_bundled_mock(tmp_path: Path) -> None:
    """Checks, loads, reports and stops the mock; the user's key goes nowhere, and standard output is the summary."""
    environ = {"TESTCARD_API_KEY": KEY, "OPENAI_API_KEY": KEY}
    load = ["--rate", "10", "--duration", "1s", "--warmup", "0s", "--size", "512x512"]
    done = cli(tmp_path, "run", *load, "--json", "--require-all", **environ)
    assert done.returncode == 0, done.stderr
    told = summary(done.stdout)
    assert (told["verdict"], told["command"], told["ended"]) == ("kept", "run", "complete")
    assert told["load"]["arrivals"]["lost"] == 0
    assert {row["outcome"] for row in told["requirements"]} <= {"pass", "not-observed", "not-applicable"}
    (directory,) = (tmp_path / "runs").iterdir()
    assert {path.name for path in directory.iterdir()} >= REPORTS
    assert json.loads((directory / "summary.json").read_text()) == told
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert KEY not in done.stderr
    assert ESCAPE not in done.stdout + done.stderr
    with socket.socket() as caller:
        port = int(told["target"]["base_url"].rpartition(":")[2].removesuffix("/v1"))
        assert caller.connect_ex(("127.0.0.1", port)) != 0


def test_a_broken_must_ends_with_1(tmp_path: Path, base_url: str) -> None:
    """The verdict, the requirement, what was expected and seen, and where the report is; no escape codes."""
    options = ["--target", "mock", "--base-url", base_url, "--only", "transport", "--out", "run"]
    done = cli(tmp_path, "check", *options)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr == ""
    for said in ("BROKEN", "transport.wrong-method", "expected", "405 or 404", "run/report.html", "curl "):
        assert said in done.stdout
    assert ESCAPE not in done.stdout
    assert "\r" not in done.stdout
    assert {path.name for path in (tmp_path / "run").iterdir()} >= REPORTS


def test_only_what_is_asked_for_is_judged(tmp_path: Path, base_url: str) -> None:
    """--only with an area and an id, in the order of the catalogue; here everything is kept."""
    options = ["--target", "mock", "--base-url", base_url, "--only", "sdk", "--only", "auth.challenge", "--json"]
    told = summary(cli(tmp_path, "check", *options).stdout)
    assert [row["id"] for row in told["requirements"]] == [
        "auth.challenge",
        *(name for name in schemas.requirements() if name.startswith("sdk.")),
    ]
    assert told["verdict"] == "kept"


def test_with_require_all_a_must_left_unjudged_ends_with_3(tmp_path: Path, base_url: str) -> None:
    """Without the other keys it is kept; with --require-all it is not, and the advice says what to set."""
    options = ["check", "--base-url", base_url, "--model", schemas.profile("mock")["model"], "--dialect", "page"]
    options += ["--only", "error.empty-wallet", "--json"]
    environ = {"TESTCARD_API_KEY": schemas.profile("mock")["public_keys"]["main"]}
    assert cli(tmp_path, *options, **environ).returncode == 0
    done = cli(tmp_path, *options, "--require-all", **environ)
    assert done.returncode == 3
    told = summary(done.stdout)
    assert told["verdict"] == "not-judged"
    assert "TESTCARD_EMPTY_WALLET_KEY" in " ".join(told["advice"])


def test_a_spent_budget_ends_with_4(tmp_path: Path, base_url: str) -> None:
    """Inconclusive, with what was billed and what the whole check would have needed."""
    options = ["--target", "mock", "--base-url", base_url, "--only", "generate", "--budget-images", "1", "--json"]
    done = cli(tmp_path, "check", *options)
    assert done.returncode == 4
    told = summary(done.stdout)
    assert told["cost"]["images"] == 1
    assert "budget of 1 images" in told["headline"]


def test_nobody_there_ends_with_3(tmp_path: Path) -> None:
    """One sentence for a dead port, from check and from load; the run directory renders."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody else gets the port, and nobody listens
        url = url_of(taken)
        for command in ("check", "load"):
            done = cli(tmp_path, command, "--base-url", url, "--model", "m", "--out", command, "--json")
            assert done.returncode == 3, done.stderr
            told = summary(done.stdout)
            assert told["verdict"] == "not-judged"
            assert f"{url} did not answer" in told["headline"]
            assert (tmp_path / command / "report.html").is_file()


def test_what_a_server_says_breaks_no_output(tmp_path: Path) -> None:
    """Escape codes, lone surrogates and line breaks of a server stay out of the terminal and keep the JSON whole."""
    nasty = {"error": {"message": f"{ESCAPE}[31m\ud800\r\n\u202e oops", "type": "x"}}

    def answer(request: Received) -> bytes:
        return reply(200, {"created": 1, "data": []}) if b'"n"' not in request.body else reply(403, nasty)

    with scripted(lambda r: answer(r) if r.header("authorization") else reply(401, nasty)) as server:
        options = ["check", "--base-url", server.base_url, "--model", "m", "--only", "generate", "--only", "error"]
        plain = cli(tmp_path, *options, TESTCARD_API_KEY=KEY)
        as_json = cli(tmp_path, *options, "--json", TESTCARD_API_KEY=KEY)
    assert (plain.returncode, as_json.returncode) == (1, 1), plain.stderr + as_json.stderr
    summary(as_json.stdout)
    assert ESCAPE not in plain.stdout + plain.stderr
    assert "\u202e" not in plain.stdout


@pytest.mark.parametrize(
    ("slo", "code", "decided"),
    [("p90<=30s", 0, "kept"), ("p50<=1ms", 1, "refuted"), ("p99.9<=30s", 4, "inconclusive")],
)
def test_a_load_is_kept_refuted_or_inconclusive(tmp_path: Path, slo: str, code: int, decided: str) -> None:
    """Exit 0, 1 and 4 by what was asked of the same server; every arrival is accounted for."""
    options = ["--rate", "20", "--duration", "3s", "--warmup", "1s", "--arrivals", "constant", "--size", "512x512"]
    with running(MockSettings(latency_median_s=0.02, rpm=10_000, burst=1)) as base_url:
        for _ in range(6):
            done = cli(tmp_path, "load", "--target", "mock", "--base-url", base_url, *options, "--slo", slo, "--json")
            told = summary(done.stdout)
            if told["load"]["validity"] == "ok" or decided == "inconclusive":
                break  # a generator that a busy machine kept waiting certifies nothing, and rightly so
    assert done.returncode == code, done.stderr
    (verdict,) = told["load"]["slos"]
    assert verdict["verdict"] == decided
    assert ("more" in verdict["advice"]) == (decided == "inconclusive")
    arrivals = told["load"]["arrivals"]
    assert arrivals["planned"] == 60 == arrivals["sent"] + arrivals["dropped"]
    assert arrivals["sent"] == arrivals["answered"] + arrivals["lost"]
    assert told["requirements"]


def test_a_plan_sends_nothing(tmp_path: Path, shut: socket.socket) -> None:
    """Requests, images, money and seconds, from the target's own declarations; nobody is called."""
    done = cli(tmp_path, "plan", "--target", "mock", "--base-url", url_of(shut), "--rate", "5", "--duration", "10s")
    assert done.returncode == 0, done.stderr
    assert "check " in done.stdout
    assert "load " in done.stdout
    assert "keeps the key's limit" in done.stdout
    options = ["--rate", "1000", "--arrivals", "constant", "--warmup", "0s", "--duration", "2s", "--json"]
    told = json.loads(cli(tmp_path, "plan", "--target", "mock", "--base-url", url_of(shut), *options).stdout)
    assert told["load"]["requests"] == told["load"]["images"] == 2000
    assert "EXCEEDS" in told["load"]["limit"]
    assert 0 < told["check"]["images"] <= 12
    assert told["check"]["usd"] == pytest.approx(
        told["check"]["images"] * schemas.profile("mock")["price_usd_per_image"]
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (["--budget-images", "1000"], "1,000 images: enough for both"),
        (["--budget-usd", "0.12"], "100 images: enough for the check, NOT ENOUGH for the load, NOT ENOUGH for both"),
    ],
)
def test_a_plan_says_whether_the_budget_covers_it(tmp_path: Path, budget: list[str], told: str) -> None:
    """Who gives a budget learns from the plan, and not from the run, that it is too small."""
    assert told in cli(tmp_path, "plan", "--target", "mock", *budget).stdout


def test_a_plan_is_what_a_check_sends(tmp_path: Path, base_url: str) -> None:
    """Requests come as planned; of the images, those that a server may refuse to make may be missing."""
    options = ["--target", "mock", "--base-url", base_url, "--only", "generate", "--only", "image", "--json"]
    planned = json.loads(cli(tmp_path, "plan", *options).stdout)["check"]
    spent = summary(cli(tmp_path, "check", *options).stdout)["cost"]
    may_be_refused = 2  # an empty prompt and a size that is not declared: the mock refuses both
    assert spent["images"] == planned["images"] - may_be_refused
    # The keyless probe is sent whatever is selected.
    assert planned["requests"] <= spent["requests"] <= planned["requests"] + 2


def test_a_run_is_reported_again(tmp_path: Path, base_url: str) -> None:
    """From its records alone: the same summary, also where every rendered file is gone or the end is missing."""
    options = ["--target", "mock", "--base-url", base_url, "--only", "auth", "--out", "run", "--json"]
    first = summary(cli(tmp_path, "check", *options).stdout)
    run = tmp_path / "run"
    for path in run.iterdir():
        if path.name != "records.jsonl":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = cli(tmp_path, "report", "run", "--json")
    assert again.returncode == 0
    assert summary(again.stdout) == first
    assert {path.name for path in run.iterdir()} >= REPORTS
    records = (run / "records.jsonl").read_bytes()
    (run / "records.jsonl").write_bytes(records[: len(records) * 3 // 4])
    cut = cli(tmp_path, "report", "run", "--json")
    assert cut.returncode == 0
    assert summary(cut.stdout)["ended"] == "cut-off"
    assert summary(cut.stdout)["verdict"] == "inconclusive"


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    """An empty folder, none, and a file: exit 2, and nothing is written."""
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for name in ("file", "empty", "nowhere"):
        assert "is no run directory" in sentence(cli(tmp_path, "report", name), 2)
    assert not list((tmp_path / "empty").iterdir())


def test_every_id_is_explained() -> None:
    """Requirements, areas, faults, claims, outcomes and exit codes, each by its own sentence."""
    words = [*schemas.requirements(), *schemas.areas(), *FAULTS, *schemas.claims(), *OUTCOMES, *LOAD_OUTCOMES]
    told = {}
    for word in [*words, *map(str, EXIT_CODES)]:
        done = CliRunner().invoke(explain, [word], catch_exceptions=False)
        assert done.exit_code == 0
        assert word in done.output
        told[word] = done.output
    assert "--scenario preview" in told["preview-freshness"]  # at another it is never decided
    assert "--scenario" not in told["interactive"]
    for row in schemas.requirements().values():
        assert row.statement in told[row.id]
        assert row.source in told[row.id]
        assert row.how in told[row.id]
    for fault in FAULTS.values():
        assert fault.describe in told[fault.name]
        assert all(name in told[fault.name] for name in fault.breaks)
        assert (f"--dialect {fault.dialect}" in told[fault.name]) == (fault.dialect != "page" and fault.shown is None)


def test_an_unknown_id_is_one_sentence(tmp_path: Path) -> None:
    """With what was meant."""
    assert "did you mean limit.retry-after" in sentence(cli(tmp_path, "explain", "limit.retry-aftr"), 2)
    assert "areas: " in sentence(cli(tmp_path, "explain", "17"), 2)


def test_the_profiles_are_listed(tmp_path: Path) -> None:
    """Every profile that ships, with the variables of its keys and no key."""
    done = cli(tmp_path, "targets", TESTCARD_API_KEY=KEY)
    assert done.returncode == 0
    assert all(name in done.stdout for name in schemas.profiles())
    assert "TESTCARD_LIMITED_KEY" in done.stdout
    assert KEY not in done.stdout
    told = json.loads(cli(tmp_path, "targets", "--json").stdout)
    assert [row["name"] for row in told] == list(schemas.profiles())


def test_python_m_is_the_same_door(tmp_path: Path) -> None:
    """`python -m testcard` and the script tell the same version."""
    command = [sys.executable, "-m", "testcard", "--version"]
    module = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert module.stdout == cli(tmp_path, "--version").stdout
    assert "0." in module.stdout
