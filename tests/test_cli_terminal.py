"""The command line at a terminal, and interrupted: progress, colour, Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripted import until
from test_cli_commands import ESCAPE, SCRIPT, cli, summary
from testcard.mock_server import MockSettings, running


def at_terminal(folder: Path, options: list[str], environ: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and everything that a terminal of 100 columns saw."""
    ours, theirs = pty.openpty()
    usual = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "TERM", "CI")}
    usual |= {"TERM": "xterm-256color", "COLUMNS": "100", **environ}
    process = subprocess.Popen([SCRIPT, *options], cwd=folder, env=usual, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        ready, _, _ = select.select([ours], [], [], 60)
        assert ready, "the terminal stayed silent"
        try:
            data = os.read(ours, 65536)
        except OSError:  # Linux says EIO where the other end is closed
            break
        if not data:
            break
        seen += data
    os.close(ours)
    return process.wait(60), seen.decode()


@pytest.mark.parametrize(
    ("environ", "live", "colour"),
    [({}, True, True), ({"NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, False, False)],
    ids=["terminal", "NO_COLOR", "dumb"],
)
def test_a_terminal_sees_progress(tmp_path: Path, environ: dict[str, str], live: bool, colour: bool) -> None:
    """A bar while it runs, colour unless NO_COLOR forbids it, plain lines where the terminal is dumb."""
    with running(MockSettings(latency_median_s=0.1)) as base_url:
        options = ["check", "--target", "mock", "--base-url", base_url, "--only", "generate", "--out", "run"]
        code, seen = at_terminal(tmp_path, options, environ)
    assert code == 0, seen
    assert "KEPT" in seen
    assert "Traceback" not in seen
    assert ("\r" in seen.replace("\r\n", "") or f"{ESCAPE}[2K" in seen) == live
    assert any(f"{ESCAPE}[{code}" in seen for code in ("3", "1;3", "9", "38")) == colour
    if not live:
        assert ESCAPE not in seen


def test_the_first_line_is_broken_between_words(tmp_path: Path) -> None:
    """A terminal of 80 columns would tear the model's name apart; a pipe gets one line."""
    with running(MockSettings()) as base_url:
        options = ["check", "--target", "mock", "--base-url", base_url, "--only", "models", "--out"]
        code, seen = at_terminal(tmp_path, [*options, "run"], {"COLUMNS": "80"})
        piped = cli(tmp_path, *options, "again").stdout.splitlines()[0]
    assert code == 0, seen
    head = seen[: seen.index("seed 1")].splitlines()
    assert all(len(line) <= 80 for line in head)
    assert any("black-forest-labs/flux-2-klein-4b" in line for line in head)
    assert piped.endswith("seed 1")


def test_without_a_terminal_there_is_none(tmp_path: Path) -> None:
    """Piped output holds no escape codes and no carriage returns, whatever the environment wishes."""
    with running(MockSettings()) as base_url:
        options = ["check", "--target", "mock", "--base-url", base_url, "--only", "sdk", "--out", "run"]
        done = cli(tmp_path, *options, TERM="xterm-256color", FORCE_COLOR="1", COLORTERM="truecolor")
    assert done.returncode == 0
    assert ESCAPE not in done.stdout + done.stderr
    assert "\r" not in done.stdout


@contextmanager
def started(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [SCRIPT, *options], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def records(folder: Path) -> int:
    path = folder / "run" / "records.jsonl"
    return path.read_bytes().count(b'{"kind":"record"') if path.is_file() else 0


@pytest.mark.parametrize(
    ("options", "enough", "sent"),
    [
        (["check"], 12, signal.SIGINT),
        (["load", "--rate", "30", "--duration", "5m", "--warmup", "0s"], 30, signal.SIGTERM),
    ],
    ids=["check, Ctrl-C", "load, cancelled"],
)
def test_an_interrupted_run_ends_with_130_and_is_reported(
    tmp_path: Path, sent: signal.Signals, options: list[str], enough: int
) -> None:
    """In the middle: what was recorded is kept and rendered, and `report` renders it again."""
    # A check waits a minute for the limited key's window, and the load takes five: neither ends by itself.
    with running(MockSettings(latency_median_s=0.1)) as base_url:
        command = [*options, "--target", "mock", "--base-url", base_url, "--out", "run", "--json"]
        with started(tmp_path, *command) as process:
            until(lambda: records(tmp_path) >= enough or process.poll() is not None, at_most_s=60)
            assert process.poll() is None, process.communicate()
            process.send_signal(sent)
            out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    told = summary(out)
    assert (told["verdict"], told["ended"]) == ("interrupted", "interrupted")
    assert told["cost"]["requests"] >= enough
    again = cli(tmp_path, "report", "run", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["exit_code"] == 130
    assert (tmp_path / "run" / "report.html").is_file()
