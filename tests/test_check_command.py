"""`testcard check` as a user runs it: verdicts, keys that a server repeats, Ctrl-C, files of a cloned repository."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from wild_check import declared, environment
from wild_command import run, started, summary, wait_until, write_target
from wild_server import KEYS, MODEL, Ask, Reply, Wild, serving

KEY = {"TESTCARD_API_KEY": KEYS["main"]}


class EveryKey(Wild):
    keys = ("main", "second", "empty_wallet", "limited")


def test_a_correct_server_with_every_key_is_kept(tmp_path: Path) -> None:
    """Exit 0, nothing broken, warned or unjudged; standard output is the summary alone."""
    with serving(EveryKey()) as base_url:
        file = write_target(tmp_path, declared(EveryKey(), base_url))
        done = run(
            tmp_path, "check", "--target", file.name, "--json", "--strict", "--require-all",
            keys=environment(EveryKey()),
        )  # fmt: skip
    told = json.loads(done.stdout)
    assert done.returncode == 0, told["headline"]
    assert told["verdict"] == "kept"
    assert {row["outcome"] for row in told["requirements"]} <= {"pass", "not-observed", "not-applicable"}
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr


class Undescribed(Wild):
    dialect = "openai"
    default_size = "512x512"


def test_base_url_and_model_are_enough(tmp_path: Path) -> None:
    """A server that nobody described is held to OpenAI's contract, and a correct one keeps it."""
    with serving(Undescribed()) as base_url:
        done = run(tmp_path, "check", "--base-url", base_url, "--model", MODEL, "--out", "run", keys=KEY)
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    told = summary(tmp_path / "run")
    assert told["target"]["dialect"] == "openai"
    assert not [row for row in told["requirements"] if row["outcome"] in ("fail", "warn")]


class Broken(Wild):
    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        if isinstance(fields.get("n"), str) and fields["n"].isdigit():
            fields["n"] = int(fields["n"])
        return super().inspect(fields)


def test_a_curl_line_shows_the_defect_again(tmp_path: Path) -> None:
    """Exit 1 with the requirement's id, and its curl line, run by a shell, gets the answer that broke it."""
    with serving(Broken()) as base_url:
        file = write_target(tmp_path, declared(Broken(), base_url))
        done = run(tmp_path, "check", "--target", file.name, "--only", "generate.n-type", "--out", "run", keys=KEY)
        row = next(row for row in summary(tmp_path / "run")["requirements"] if row["outcome"] == "fail")
        again = subprocess.run(
            ["sh", "-c", row["reproduce"]], env={**os.environ, **KEY}, capture_output=True, text=True, check=True
        )
    assert done.returncode == 1
    assert row["id"] == "generate.n-type"
    assert "generate.n-type" in done.stdout
    assert KEYS["main"] not in row["reproduce"]
    assert " 200 " in again.stdout.splitlines()[0]


# Keys.


class Parrot(Wild):
    """It repeats the key wherever there is room: in words, encoded, in headers, in addresses, in pictures' names."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__()
        self.known = keys
        self.middle = threading.Event()

    def authenticate(self, ask: Ask) -> Reply | None:
        if next(self.asked) == 20:
            self.middle.set()
        time.sleep(0.005)
        if ask.key not in self.known:
            return super().authenticate(ask)
        ask.headers["said"] = ask.key
        return None

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        said = "".join([*self.known, *map(quote, self.known), *(json.dumps(key) for key in self.known)])
        return super().error(status, f"{message} {said * 3}", param)  # so long that whoever cuts it cuts a key

    def url(self, data: bytes) -> str:
        return f"{super().url(data)}?{quote(self.known[0] * 5, safe='')}&k={self.known[-1]}"

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items, ask) | {"user": ask.key, ask.key or "": 1, "created": "at " + self.known[0] * 5}

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply.headers += [("X-Key", self.known[0]), (f"X-{'Team'}", f"Bearer {self.known[-1]}")]
        reply.headers.append(("Location", f"/login?next=%2F&api_key={quote(self.known[0])}"))
        reply.head = f"HTTP/1.1 {reply.status} {self.known[0]}".encode()
        return super().dress(ask, reply)


def test_a_key_that_the_server_repeats_stands_nowhere(tmp_path: Path) -> None:
    """Not in the run directory, not on the terminal, not in the list of processes; the echo itself is found."""
    random = {
        name: f"sk-{secrets.token_urlsafe(18)}/+=%&\"'{secrets.token_hex(4)}" if name == "TESTCARD_API_KEY" else
        f"sk-{secrets.token_urlsafe(24)}"
        for name in ("TESTCARD_API_KEY", "TESTCARD_SECOND_KEY", "TESTCARD_LIMITED_KEY", "TESTCARD_TEAM_TOKEN")
    }  # fmt: skip
    wild = Parrot(list(random.values()))
    with serving(wild) as base_url:
        fields = declared(wild, base_url) | {"headers": {"x-team-token": "env:TESTCARD_TEAM_TOKEN"}}
        file = write_target(tmp_path, fields)
        with started(tmp_path, "check", "--target", file.name, "--out", "run", keys=random) as process:
            wait_until(lambda: wild.middle.is_set() or process.poll() is not None)
            processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
            out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out + err
    assert "auth.key-not-echoed" in out
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(written) > 5
    texts = {str(path): path.read_bytes() for path in written}
    texts |= {"terminal": (out + err).encode(), "processes": processes.encode()}
    for name, text in texts.items():
        for key in random.values():
            for form in {key, quote(key), quote(key, safe=""), json.dumps(key)[1:-1]}:
                for part in (form[at : at + 12] for at in range(3, len(form) - 11)):
                    assert part.encode() not in text, f"a part of a key stands in {name}"
            assert base64.b64encode(key.encode()) not in text


# Ctrl-C.


class Leisurely(Wild):
    """Slow enough to be interrupted in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.middle = threading.Event()

    def answer(self, ask: Ask) -> Reply:
        if next(self.asked) == 15:
            self.middle.set()
        time.sleep(0.05)
        return super().answer(ask)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_check_can_be_reported(name: str, tmp_path: Path) -> None:
    """Exit 130; what was recorded stands in the run directory, and `testcard report` renders it again."""
    wild = Leisurely()
    with serving(wild) as base_url:
        file = write_target(tmp_path, declared(wild, base_url))
        with started(tmp_path, "check", "--target", file.name, "--out", "run", keys=KEY) as process:
            wait_until(wild.middle.is_set)
            process.send_signal(getattr(signal, name))
            out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in out + err
    told = summary(tmp_path / "run")
    assert told["verdict"] == "interrupted"
    assert 5 <= told["cost"]["requests"] < 90
    (tmp_path / "run" / "report.html").unlink()
    done = run(tmp_path, "report", "run", keys={})
    assert done.returncode == 0
    assert done.stderr == ""
    assert "INTERRUPTED" in done.stdout
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000


def test_a_killed_check_can_be_reported(tmp_path: Path) -> None:
    """Without a footer the run says that it was cut off, and is rendered all the same."""
    wild = Leisurely()
    with serving(wild) as base_url:
        file = write_target(tmp_path, declared(wild, base_url))
        with started(tmp_path, "check", "--target", file.name, "--out", "run", keys=KEY) as process:
            wait_until(wild.middle.is_set)
            process.kill()
            process.communicate(timeout=60)
    done = run(tmp_path, "report", "run", keys={})
    assert done.returncode == 0
    assert done.stderr == ""
    assert "cut off after" in done.stdout


# What lies in the working directory.


def test_a_file_found_names_no_other_variable(tmp_path: Path) -> None:
    """testcard.toml in the working directory gets TESTCARD_* variables only: exit 2, nothing sent."""
    refused = (
        {"keys": {"main": "OPENAI_API_KEY"}},
        {"keys": {"second": "AWS_SECRET_ACCESS_KEY"}},
        {"headers": {"x-token": "env:GITHUB_TOKEN"}},
    )
    secret = dict.fromkeys(("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"), "sk-not-for-you")
    wild = Wild()
    with serving(wild) as base_url:
        for more in refused:
            write_target(tmp_path, declared(wild, base_url) | more, "testcard.toml")
            done = run(tmp_path, "check", keys=KEY | secret)
            assert done.returncode == 2, done.stdout
            assert "TESTCARD_*" in done.stderr
            assert len(done.stderr.splitlines()) == 1
            assert "sk-not-for-you" not in done.stdout + done.stderr
            assert not (tmp_path / "runs").exists()
        assert next(wild.asked) == 1
        assert not wild.contacted


def test_a_file_found_names_no_other_host(tmp_path: Path) -> None:
    """A host off loopback that the user did not name: exit 2 and the option that would allow it, nothing sent."""
    for base_url in ("https://api.example.net/v1", "http://192.0.2.7/v1", "http://127.0.0.1.example.net/v1"):
        write_target(tmp_path, {"base_url": base_url, "model": MODEL}, "testcard.toml")
        done = run(tmp_path, "check", keys=KEY)
        assert done.returncode == 2, done.stdout
        assert "--confirm-host" in done.stderr
        assert not (tmp_path / "runs").exists()


def test_a_file_found_on_loopback_is_used(tmp_path: Path) -> None:
    """With TESTCARD_* variables and a loopback address testcard.toml needs no option."""
    with serving(Wild()) as base_url:
        write_target(tmp_path, declared(Wild(), base_url), "testcard.toml")
        done = run(tmp_path, "check", "--only", "models", keys=KEY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_of_the_users_pytest_reaches_a_check(tmp_path: Path) -> None:
    """A conftest, a pytest.ini, PYTEST_ADDOPTS and a module named like one of ours change nothing and are not run."""
    (tmp_path / "conftest.py").write_text("raise SystemExit('the conftest was loaded')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "schemas.py").write_text("raise SystemExit('the module was loaded')\n")
    before = {path.name for path in tmp_path.iterdir()}
    with serving(Wild()) as base_url:
        file = write_target(tmp_path, declared(Wild(), base_url))
        keys = KEY | {"PYTEST_ADDOPTS": "--collect-only -k nothing", "PYTEST_PLUGINS": "no_such_plugin"}
        done = run(tmp_path, "check", "--target", file.name, "--out", "run", keys=keys)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} - before == {"run", file.name}
