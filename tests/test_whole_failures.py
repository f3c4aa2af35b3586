# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Servers that fail as a whole: there is no verdict, exit 3, one sentence that says why, never green, no traceback."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from wild_command import run, started, summary, wait_until, write_target
from wild_server import KEYS, MODEL, Ask, Reply, Wild, read, serving

KEY = {"TESTCARD_API_KEY": KEYS["main"]}


class Always(Wild):
    """Says the same to everybody."""

    status = 200
    body = b""
    label = "application/json"
    more: tuple[tuple[str, str], ...] = ()

    def answer(self, ask: Ask) -> Reply:
        reply = Reply(self.status, self.body, [("Content-Type", self.label)] if self.label else [])
        reply.headers += self.more
        return self.dress(ask, reply)


def always(status: int, body: bytes = b'{"error": {"message": "No.", "type": "x"}}', **more: Any) -> type[Wild]:
    return type(f"Always{status}", (Always,), {"status": status, "body": body, **more})


class PicturesForEverybody(Wild):
    """A good answer, whatever was asked."""

    def answer(self, ask: Ask) -> Reply:
        ask.fields = {"prompt": "", "response_format": "b64_json"}
        return self.dress(ask, self.generate(ask))


class Hanging(Wild):
    """It listens, and says nothing until its client has gone."""

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        return bool(reader.read()) and False


class Trickling(Wild):
    """A head that promises, and a body that never ends."""

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        read(reader)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)


class Closing(Wild):
    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        return False


class Garbage(Wild):
    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        read(reader)
        connection.sendall(bytes(range(256)) * 4 + b"\r\n\r\n")
        return False


class OtherProtocol(Wild):
    """A mail server."""

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        connection.sendall(b"220 mail.example.net ESMTP\r\n")
        return bool(reader.readline()) and False


HTML = b"<!doctype html><html><title>Welcome to nginx!</title></html>"
FAILURES: dict[str, tuple[type[Wild], str]] = {
    "everything 401": (always(401), "check the key in TESTCARD_API_KEY"),
    "everything 403": (always(403), "answered with 403"),
    "everything 404": (always(404), "check --base-url"),
    "everything 429": (always(429, more=(("Retry-After", "1"),)), "limit is used up"),
    "everything 429, without Retry-After": (always(429), "limit is used up"),
    "everything 500": (always(500), "answered with 500"),
    "everything 503": (always(503), "answered with 503"),
    "everything 502 in HTML": (always(502, HTML, label="text/html"), "answered with 502"),
    "HTML": (always(200, HTML, label="text/html"), "no image generation API"),
    "an empty object": (always(200, b"{}"), "no image generation API"),
    "an empty list": (always(200, b"[]"), "no image generation API"),
    "null": (always(200, b"null"), "no image generation API"),
    "an empty body": (always(200, b"", label=""), "no image generation API"),
    "no content": (always(204, b"", label=""), "no image generation API"),
    "the same error with 200": (always(200), "no image generation API"),
    "a login page": (always(302, b"", label="", more=(("Location", "/login"),)), "302; check --base-url: it leads"),
    "pictures for everybody": (PicturesForEverybody, "no image generation API"),
    "hanging": (Hanging, "no complete answer within 1 s"),
    "trickling": (Trickling, "no complete answer within 1 s"),
    "closing at once": (Closing, "disconnected"),
    "garbage": (Garbage, "framing"),
    "another protocol": (OtherProtocol, "a port that speaks HTTP, and whether it is https:// there"),
}


def target(directory: Path, base_url: str) -> str:
    fields = {"base_url": base_url, "model": MODEL, "dialect": "page", "timeout_s": 1.0}
    return write_target(directory, fields).name


def assert_not_judged(directory: Path, base_url: str, reason: str, keys: dict[str, str]) -> None:
    """Exit 3, one sentence, never green, no traceback, nothing on standard error; the run directory says the same."""
    done = run(directory, "check", "--target", target(directory, base_url), "--out", "run", keys=keys)
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stderr == ""
    said = [line for line in done.stdout.splitlines() if line.startswith("NOT JUDGED")]
    assert len(said) == 1
    assert reason in said[0]
    assert "Traceback" not in done.stdout
    assert "KEPT" not in done.stdout
    told = summary(directory / "run")
    assert (told["verdict"], told["exit_code"]) == ("not-judged", 3)
    assert "\n" not in told["headline"]
    assert len(told["headline"]) < 400
    assert told["cost"]["images"] <= 3


@pytest.mark.parametrize("name", FAILURES)
def test_a_server_that_fails_as_a_whole_is_not_judged(name: str, tmp_path: Path) -> None:
    """It ends with exit 3 after a few requests, and says in a sentence what came."""
    kind, reason = FAILURES[name]
    with serving(kind()) as base_url:
        assert_not_judged(tmp_path, base_url, reason, KEY)


def test_a_dead_port_is_not_judged(tmp_path: Path) -> None:
    """Nobody listens."""
    with socket.socket() as taken:  # bound and not listening: nobody else gets it meanwhile
        taken.bind(("127.0.0.1", 0))
        assert_not_judged(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "refused", KEY)


def test_tls_on_a_plain_port_is_not_judged(tmp_path: Path) -> None:
    """The address says https, the server speaks http."""
    with serving(Wild()) as base_url:
        assert_not_judged(tmp_path, base_url.replace("http:", "https:"), "does this port speak TLS?", KEY)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    """A good server and no key: the sentence says which variable to set."""
    with serving(Wild()) as base_url:
        assert_not_judged(tmp_path, base_url, "set TESTCARD_API_KEY", {})


def test_a_wrong_key_is_named(tmp_path: Path) -> None:
    """A good server and a key that it does not know."""
    with serving(Wild()) as base_url:
        assert_not_judged(tmp_path, base_url, "check the key in TESTCARD_API_KEY", {"TESTCARD_API_KEY": "sk-not-known"})


class Mortal(Wild):
    """It dies after some requests."""

    def __init__(self) -> None:
        super().__init__()
        self.middle = threading.Event()
        self.dead = False

    def answer(self, ask: Ask) -> Reply:
        if next(self.asked) == 30:
            self.middle.set()
        time.sleep(0.01)
        return super().answer(ask)

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        return not self.dead and super().converse(reader, connection) and not self.dead


def test_a_server_that_dies_in_the_middle_is_not_judged(tmp_path: Path) -> None:
    """What was seen is kept; the verdict is that it stopped answering."""
    wild = Mortal()
    with serving(wild) as base_url:
        command = ("check", "--target", target(tmp_path, base_url), "--out", "run")
        with started(tmp_path, *command, keys=KEY) as process:
            wait_until(wild.middle.is_set)
            wild.dead = True
            wild.stop()
            out, err = process.communicate(timeout=60)
    assert process.returncode == 3, out
    assert err == ""
    assert "stopped answering" in out
    told = summary(tmp_path / "run")
    assert told["verdict"] == "not-judged"
    assert any(row["outcome"] == "pass" for row in told["requirements"])
