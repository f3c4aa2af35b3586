"""Wrong command lines and files: one sentence, exit 2, and nothing is sent."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loaded import plan_of
from test_cli_commands import cli, sentence, url_of
from testcard.cli.loading import permitted
from testcard.cli.options import Aim
from testcard.core.errors import UsageError
from testcard.core.target import Target


@pytest.fixture
def url() -> Iterator[str]:
    """An address at which somebody listens whom nobody may call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield url_of(listener)
        with pytest.raises(BlockingIOError):
            listener.accept()


WRONG = {
    "no target": ("check", [], "no target: pass --target"),
    "no target for a load": ("load", [], "no target: pass --target"),
    "no such profile": ("check", ["--target", "mok"], "did you mean mock"),
    "no such file": ("check", ["--target", "nowhere.toml"], "cannot be read"),
    "a typo in --only": ("check", ["--base-url", "URL", "--only", "limit.per-ky"], "did you mean limit.per-key"),
    "an option alone": ("run", ["--model", "m"], "need a target"),
    "no address": ("check", ["--base-url", "127.0.0.1:1"], "base_url '127.0.0.1:1'"),
    "a key in the address": ("check", ["--base-url", "http://sk-1:x@127.0.0.1/v1"], "base_url"),
    "no such dialect": ("check", ["--base-url", "URL", "--dialect", "klingon"], "klingon"),
    "no header": ("check", ["--base-url", "URL", "--header", "nonsense"], "Name: value"),
    "a key as header": ("check", ["--base-url", "URL", "--header", "Authorization: Bearer x"], "TESTCARD_API_KEY"),
    "a header of two lines": ("check", ["--base-url", "URL", "--header", "x: a\nb: c"], "header 'x'"),
    "an unset variable": ("check", ["--base-url", "URL", "--api-key-env", "NOT_SET"], "NOT_SET"),
    "money without a price": ("check", ["--base-url", "URL", "--budget-usd", "1"], "names no price"),
    "no number for money": ("check", ["--target", "mock", "--base-url", "URL", "--budget-usd", "nan"], "not a number"),
    "no number for a rate": ("load", ["--base-url", "URL", "--rate", "fast"], "'fast' is not a number"),
    "a rate without end": ("load", ["--base-url", "URL", "--rate", "inf"], "'inf' is not a number"),
    "an empty folder": ("check", ["--base-url", "URL", "--out", ""], "it is empty"),
    "an empty variable": ("check", ["--base-url", "URL", "--api-key-env", ""], "it is empty"),
    "an empty model": ("check", ["--base-url", "URL", "--model", ""], "it is empty"),
    "a mock's burst": ("mock", ["--burst", "nan"], "not a number"),
    "a mock's latency": ("mock", ["--latency-size", "512x512=nan"], "512x512=nan"),
    "a mock's 503s": ("mock", ["--unavailable-rate", "2"], "--unavailable-rate"),
    "a negative budget": ("check", ["--base-url", "URL", "--budget-images", "-1"], "--budget-images"),
    "another host confirmed": ("check", ["--base-url", "URL", "--confirm-host", "h"], "the target's host is 127.0.0.1"),
    "no duration": ("load", ["--base-url", "URL", "--model", "m", "--duration", "soon"], "is not a duration"),
    "no rate": ("load", ["--base-url", "URL", "--model", "m", "--rate", "0"], "--rate"),
    "no slo": ("load", ["--base-url", "URL", "--model", "m", "--slo", "fast"], "fast"),
    "no claim": ("load", ["--base-url", "URL", "--model", "m", "--claim", "fast"], "--claim"),
    "no size": ("load", ["--base-url", "URL", "--model", "m", "--size", "big"], "big"),
    "no scenario": ("load", ["--base-url", "URL", "--model", "m", "--scenario", "stedy"], "steady"),
    "n beyond the target's": ("load", ["--target", "mock", "--base-url", "URL", "--n", "11"], "11"),
    "no such option": ("check", ["--no-such-option"], "--no-such-option"),
    "no such command": ("chekc", [], "did you mean 'check'?"),
    "a header of ours": ("check", ["--base-url", "URL", "--header", "User-Agent: x"], "User-Agent"),
    "a load elsewhere": ("load", ["--target", "aigateway"], "--confirm-host api.aigateway.sh"),
    "a load elsewhere without a budget": (
        "load", ["--target", "aigateway", "--confirm-host", "api.aigateway.sh"], "needs --budget-images"),
    "a load over the limit elsewhere": (
        "load", ["--target", "aigateway", "--confirm-host", "api.aigateway.sh", "--budget-images", "999999",
                 "--rate", "100"], "limit"),
    "a claim elsewhere that no load may decide": (
        "run", ["--target", "aigateway", "--claim", "interactive"], "--confirm-host api.aigateway.sh"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_command_line_is_one_sentence(name: str, tmp_path: Path, url: str) -> None:
    """What is wrong and what to do, on standard error; no run directory is left."""
    command, options, said = WRONG[name]
    done = cli(
        tmp_path, command, *(url if option == "URL" else option for option in options), TESTCARD_API_KEY="sk-12345"
    )
    assert said in sentence(done, 2)
    assert "sk-12345" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_load_elsewhere_without_a_key_is_one_sentence() -> None:
    """All of it would be refused: nobody's API is asked thousands of times for that. A master's workers have keys."""
    target = Target("http://192.0.2.1/v1", keys={"main": "TESTCARD_OF_NOBODY"})
    aimed = Aim(target, {}, 1, 999, None, "192.0.2.1")
    plan = plan_of(target)
    assert "needs a key" in str(permitted(aimed, plan, above_limit=False))
    assert "set TESTCARD_OF_NOBODY" in str(permitted(aimed, plan, above_limit=False))
    assert permitted(aimed, plan, above_limit=False, sends=False) is None


def test_a_check_elsewhere_without_a_key_is_one_sentence() -> None:
    """A variable that was forgotten in CI knocks on nobody's door; on loopback a server may want no key."""
    target = Target("http://192.0.2.1/v1", keys={"main": "TESTCARD_OF_NOBODY"})
    with pytest.raises(UsageError, match="set TESTCARD_OF_NOBODY"):
        Aim(target, {}, 1, None, None, None).keyed()
    for free in (replace(target, auth="none"), replace(target, base_url="http://127.0.0.1/v1")):
        assert Aim(free, {}, 1, None, None, None).keyed() == free


FOUND = {
    "another variable": ('[target]\nbase_url = "URL"\n[target.keys]\nmain = "OPENAI_API_KEY"', "OPENAI_API_KEY"),
    "another header": ('[target]\nbase_url = "URL"\n[target.headers]\nx = "env:GITHUB_TOKEN"', "GITHUB_TOKEN"),
    "another host": ('[target]\nbase_url = "https://elsewhere.example/v1"', "--confirm-host elsewhere.example"),
    "a typo": ('[target]\nbase_url = "URL"\nmodell = "m"', "did you mean model?"),
    "no TOML": ("[target", "is not TOML"),
    "an unset header": ('[target]\nbase_url = "URL"\n[target.headers]\nx = "env:TESTCARD_NOT_SET"', "TESTCARD_NOT_SET"),
    "no certificates": ('[target]\nbase_url = "URL"\nca_file = "testcard.toml"', "holds no certificates"),
}


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_wrong_file_is_one_sentence(name: str, command: str, tmp_path: Path, url: str) -> None:
    """A testcard.toml that means nothing, or asks for what it may not have."""
    text, said = FOUND[name]
    (tmp_path / "testcard.toml").write_text(text.replace("URL", url))
    secret = {"OPENAI_API_KEY": "sk-secret-1", "GITHUB_TOKEN": "gh-secret-1", "TESTCARD_API_KEY": "tc-secret-1"}
    done = cli(tmp_path, command, **secret)
    assert said in sentence(done, 2)
    assert not any(value in done.stderr for value in secret.values())


def test_a_run_is_not_written_over(tmp_path: Path, url: str) -> None:
    """--out with a run in it, or where no folder can be: nothing is touched."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "records.jsonl").write_text("precious")
    (tmp_path / "file").write_text("")
    for out, said in (("run", "holds a run already"), ("file", "is a file"), ("file/run", "cannot be written")):
        assert said in sentence(cli(tmp_path, "check", "--base-url", url, "--out", out), 2)
    assert (tmp_path / "run" / "records.jsonl").read_text() == "precious"


def test_off_loopback_a_plan_names_what_it_needs(tmp_path: Path) -> None:
    """plan sends nothing, so it needs no confirmation; the limited key's burst is not counted without one."""
    told = json.loads(cli(tmp_path, "plan", "--target", "aigateway", "--json").stdout)
    assert told["target"]["base_url"] == "https://api.aigateway.sh/v1"
    assert told["check"]["images"] <= 12
