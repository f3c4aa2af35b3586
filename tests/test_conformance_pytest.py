"""The suite under pytest: shut off from the user's folder by `testcard check`, with all of pytest's options without."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from testcard import schemas
from testcard.mock_server import MockSettings, running

BROKEN = "generate.n-out-of-range"
FAST = ["--testcard-only", "generate.minimal", "--testcard-only", BROKEN]


@pytest.fixture(scope="module")
def good() -> Iterator[str]:
    with running(MockSettings(window_s=2.0)) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def faulty() -> Iterator[str]:
    with running(MockSettings(faults=("n-clamped", "challenge-basic"), window_s=2.0)) as base_url:
        yield base_url


def run(command: list[str], folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TESTCARD"))}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder, env={**usual, **environ}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def suite(base_url: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Plain pytest, as the interface gives the command."""
    command = ["-m", "pytest", "-p", "testcard.conformance.plugin", "--pyargs", "testcard.conformance"]
    return run([*command, "--testcard-target", "mock", "--testcard-base-url", base_url, *options], folder)


def check(base_url: str, folder: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = ["-m", "testcard", "check", "--target", "mock", "--base-url", base_url, "--json", "--out", "run"]
    return run([*command, *options], folder, **environ)


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {row["id"]: row["outcome"] for row in json.loads(done.stdout)["requirements"]}


HOSTILE = {
    "conftest.py": "import pathlib\npathlib.Path('conftest-was-here').touch()\nraise SystemExit(9)\n",
    "pytest.ini": "[pytest]\naddopts = --no-such-option\ntestpaths = nowhere\n",
    "pytest.toml": "[pytest]\naddopts = ['--no-such-option']\n",
    "tox.ini": "[pytest]\naddopts = --no-such-option\n",
    "setup.cfg": "[tool:pytest]\naddopts = --no-such-option\n",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--no-such-option'\nfilterwarnings = ['error']\n",
    "test_of_the_user.py": "import pathlib\npathlib.Path('test-was-here').touch()\nassert False\n",
    "hostile_plugin.py": "import pathlib\npathlib.Path('plugin-was-here').touch()\nraise SystemExit(8)\n",
    "schemas/__init__.py": "raise SystemExit(6)\n",
    "hostile-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n",
    "hostile-1.0.dist-info/entry_points.txt": "[pytest11]\nhostile = hostile_plugin\n",
}


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_check_gives_the_same_result_in_any_folder(tmp_path: Path, faulty: str) -> None:
    """No conftest, configuration, PYTEST_ADDOPTS or plugin reaches it, and it leaves its run directory only."""
    plain, hostile = tmp_path / "plain", tmp_path / "hostile"
    plain.mkdir()
    for name, text in HOSTILE.items():
        path = hostile / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    wanted = ["--only", "auth", "--only", "generate", "--only", "error.envelope"]
    here = check(faulty, plain, *wanted)
    environ = {
        "PYTEST_ADDOPTS": "--no-such-option -x",
        "PYTEST_PLUGINS": "hostile_plugin",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "",
        "PYTHONPATH": str(hostile),  # so that the entry point of its plugin is seen
    }
    there = check(faulty, hostile, *wanted, **environ)
    assert (here.returncode, there.returncode) == (1, 1), there.stderr
    assert outcomes(here) == outcomes(there)
    assert outcomes(here)[BROKEN] == "fail"
    assert outcomes(here)["auth.challenge"] == "warn"
    written = {"records.jsonl", "summary.json", "summary.md", "report.html", "junit.xml"}
    for folder, before in ((plain, set()), (hostile, set(HOSTILE))):
        left = {name for name in tree(folder) - before if not name.startswith("run/evidence/")}
        assert left == {f"run/{name}" for name in written}
        assert not [path for path in folder.rglob("*") if path.name in (".hypothesis", ".pytest_cache", "__pycache__")]


def test_the_whole_suite_is_green_on_the_correct_mock(tmp_path: Path, good: str) -> None:
    """Exit 0, a case per requirement in junit.xml, and what was not observed is a skip with its reason."""
    done = suite(good, tmp_path, "-q", "-rs", "--junitxml=out.xml", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "not-observed: its occasion never arose" in done.stdout
    cases = ET.parse(tmp_path / "out.xml").getroot().iter("testcase")  # noqa: S314  (written by our own pytest)
    assert len(list(cases)) == len(schemas.requirements())


def test_a_broken_must_fails_and_a_broken_should_warns(tmp_path: Path, faulty: str) -> None:
    """Requirement, source, expected, actual and a curl line with the key as a variable stand in pytest's own output."""
    done = suite(faulty, tmp_path, *FAST, "--testcard-only", "auth.challenge")
    assert done.returncode == 1
    assert re.search(r"1 failed, 2 passed, \d+ deselected, 1 warning", done.stdout)
    row = schemas.requirements()[BROKEN]
    for said in (BROKEN, "MUST", row.statement, row.source, "expected", "actual", "curl ", "$"):
        assert said in done.stdout
    assert "BrokenShould: auth.challenge (SHOULD)" in done.stdout
    assert "sk-aig-mock" not in done.stdout


def test_strict_makes_a_should_fail(tmp_path: Path, faulty: str) -> None:
    """--testcard-strict counts a SHOULD as a MUST."""
    done = suite(faulty, tmp_path, "--testcard-only", "auth.challenge", "--testcard-strict")
    assert done.returncode == 1
    assert "1 failed" in done.stdout


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["-k", "n_out_of_range or test_minimal"], 1, "1 failed, 1 passed"),
        (["-k", "minimal"], 0, "1 passed"),
        (["-x", *FAST], 1, "1 failed"),
        (["-k", "no_such_test"], 5, "deselected"),
        (["--collect-only", "-q", *FAST], 0, "test_n_out_of_range"),
        (["--testcard-only", "generate.minimall"], 4, "did you mean generate.minimal"),
        (["--testcard-dialect", "klingon"], 4, "klingon"),
        (["--testcard-header", "nonsense"], 4, "Name: value"),
        (["--no-such-option"], 4, "no-such-option"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_pytest_s_own_options_and_exit_codes_hold(
    tmp_path: Path, faulty: str, options: list[str], code: int, said: str
) -> None:
    """-k, -x and --collect-only do what they do everywhere; a wrong option is pytest's usage error."""
    done = suite(faulty, tmp_path, *options)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr


def test_without_a_target_nothing_is_sent(tmp_path: Path) -> None:
    """The sentence says what to pass; a dead port is said too, and neither is ever green."""
    command = ["-m", "pytest", "-p", "testcard.conformance.plugin", "--pyargs", "testcard.conformance", "-k", "minimal"]
    nowhere = run(command, tmp_path)
    assert nowhere.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no target: pass --testcard-target or --testcard-base-url" in nowhere.stdout + nowhere.stderr
    dead = run([*command, "--testcard-base-url", "http://127.0.0.1:9/v1", "--testcard-model", "m"], tmp_path)
    assert dead.returncode == pytest.ExitCode.TESTS_FAILED
    assert "not judged: http://127.0.0.1:9/v1 did not answer" in dead.stdout + dead.stderr


def test_without_a_key_what_needs_one_is_skipped_with_its_reason(tmp_path: Path, good: str) -> None:
    """A missing prerequisite says how to supply it, and is not a pass."""
    command = ["-m", "pytest", "-rs", "-p", "testcard.conformance.plugin", "--pyargs", "testcard.conformance"]
    options = ["--testcard-base-url", good, "--testcard-model", "black-forest-labs/flux-2-klein-4b"]
    options += ["--testcard-dialect", "page", "--testcard-only", "error.empty-wallet"]
    done = run([*command, *options], tmp_path, TESTCARD_API_KEY="sk-aig-mock-funded")
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "not-judged: no empty wallet key: set TESTCARD_EMPTY_WALLET_KEY" in done.stdout
