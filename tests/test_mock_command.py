"""`testcard mock` as a user runs it, and docs/mock.md as a user reads it."""

from __future__ import annotations

import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import click
import httpx
import pytest

from testcard.cli.mock import mock
from testcard.mock_server import FAULTS
from testcard.mock_server.promise import promise

PAGE = Path(__file__).parent.parent / "docs" / "mock.md"
COMMAND = [sys.executable, "-m", "testcard", "mock"]
KEYS = promise().keys


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=False)


def test_it_serves_until_interrupted() -> None:
    """It prints its address and its four keys, serves with the faults asked for, and Ctrl-C ends it quietly."""
    options = ["--port", "0", "--fault", "get-200", "--dialect", "vendor", "--latency-median", "1ms"]
    options += ["--latency-size", "512x512=0.5"]
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert select.select([process.stdout], [], [], 30)[0], "nothing was printed"
            told = "".join(process.stdout.readline() for _ in range(1 + len(KEYS)))
            address = re.search(r"http://127\.0\.0\.1:\d+/v1", told)
            assert address is not None, told
            assert all(key in told for key in KEYS.values())
            with httpx.Client(base_url=address[0], trust_env=False) as client:
                assert client.get("/images/generations").status_code == 200  # the fault
                assert client.get("/models").json()["error"]["code"] == 401  # the dialect
        finally:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert process.returncode in (0, 130)
    assert err == ""


def test_a_port_in_use_is_one_sentence() -> None:
    """Exit 2 and the reason, no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "in use" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--fault", "n-clampd"], "n-clamped"), (["--queue", "1"], "capacity"), (["--host", "192.0.2.1"], "192.0.2.1")],
)
def test_options_without_meaning_are_one_sentence(options: list[str], said: str) -> None:
    """Exit 2, naming what is wrong and what would be right."""
    done = run(*options)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_does_not_wait_for_a_web_server() -> None:
    """Importing the command, or the table of faults, imports neither starlette nor uvicorn nor Pillow."""
    code = (
        "import sys, testcard.cli.mock, testcard.mock_server; testcard.mock_server.FAULTS; "
        "print(sorted({'starlette', 'uvicorn', 'PIL'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_names_every_option() -> None:
    """docs/mock.md has every option of the command."""
    text = PAGE.read_text(encoding="utf-8")
    for option in mock.params:
        assert isinstance(option, click.Option)
        assert f"`{option.opts[0]}" in text


def test_the_page_names_every_fault_with_what_it_breaks() -> None:
    """docs/mock.md has a row for every fault: its name, the requirements, the sentence; and no other row."""
    text = PAGE.read_text(encoding="utf-8")
    rows = {}
    for fault in FAULTS.values():
        breaks = ", ".join(f"`{requirement}`" for requirement in fault.breaks)
        note = "" if fault.dialect == "page" else f" In the dialect {fault.dialect}."
        rows[fault.name] = f"| `{fault.name}` | {breaks} | {fault.describe}{note} |"
        assert rows[fault.name] in text
    _, _, table = text.partition("## Faults")
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)) == set(rows)


def test_the_page_names_the_keys() -> None:
    """docs/mock.md has the four keys."""
    text = PAGE.read_text(encoding="utf-8")
    assert all(key in text for key in KEYS.values())
