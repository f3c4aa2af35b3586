"""The curl line under every finding: pasted into a shell, it sends the same request."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from scripted import Received, Shelf, aim, ask, reply, scripted, silent
from testcard.core.budget import Budget
from testcard.core.exchange import Request
from testcard.core.presentation import PRESENTATIONS
from testcard.core.redact import Redactor
from testcard.core.send import Sender
from testcard.core.target import Keyring, Target
from testcard.core.wire import USER_AGENT, curl, request_headers

SECRETS = {"TESTCARD_API_KEY": "sk-main-0123456789", "TESTCARD_TEAM": "t0ken-of-the-team"}
HOSTILE = 'it\'s a "cat" $(touch /tmp/x) `id` $HOME \\ \n\t\u732b ! # & ; | * ? [a] {b}'
needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("bash") is None, reason="neither bash nor curl here: nothing to paste"
)


def pasted(line: str) -> None:
    """Run the line as a user would."""
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **SECRETS}
    done = subprocess.run(["bash", "-c", line], env=environ, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def keyring(target: Target) -> Keyring:
    return Keyring(target, SECRETS)


@needs_curl
@pytest.mark.parametrize(
    "request_",
    [
        ask(f'{{"prompt": "{HOSTILE}"}}'.encode()),
        ask(b""),
        ask(b'{"prompt": "a cat"', key=None),
        ask(authorization="Bearer sk-wrong"),
        ask(authorization="Basic $(id)"),
        ask(headers=(("Content-Type", "text/plain; x='1'"), ("X-Stainless-Lang", HOSTILE.replace("\n", " ")[:20]))),
        Request("models", method="GET", path="/models"),
        Request("delete", method="DELETE", path="/images/generations", body=b"{}"),
        Request("odd path", path="/images/it's/$(id)"),
    ],
    ids=range(9),
)
def test_a_pasted_curl_line_sends_the_same_request(request_: Request) -> None:
    """Method, path, body, key and headers arrive as ours do; nothing in them is run by the shell."""
    with scripted(lambda _: reply(200, {})) as server:
        target = aim(server.base_url, headers={"x-cache": "it's $HOME", "x-team": "env:TESTCARD_TEAM"})
        pasted(curl(request_, target, keyring(target)))
        got = server.received[0]
    assert (got.method, got.path, got.body) == (request_.method, f"/v1{request_.path}", request_.body or b"")
    values = {"x-cache": "it's $HOME", "x-team": SECRETS["TESTCARD_TEAM"]}
    expected = request_headers(values, request_, keyring(target).get(request_.key or ""), "id")
    for name, value in expected:
        if name not in ("Accept", "Accept-Encoding", "User-Agent", "X-Request-Id"):
            assert got.header(name) == value.strip()
    assert (got.header("authorization") is None) == (not any(name == "Authorization" for name, _ in expected))


@needs_curl
def test_a_name_from_a_file_is_not_run_by_the_shell() -> None:
    """A header's name may hold a backtick (RFC 9110, section 5.6.2), and a file may come from a stranger."""
    with scripted(lambda _: reply(200, {})) as server:
        target = aim(server.base_url, headers={"x-`id`-$HOME": "env:TESTCARD_TEAM"})
        pasted(curl(ask(), target, keyring(target)))
        assert server.received[0].header("x-`id`-$HOME") == SECRETS["TESTCARD_TEAM"]


def test_no_secret_stands_in_a_curl_line() -> None:
    """Keys and headers from the environment stand in it as variables; without keys there is no Authorization."""
    target = aim("http://127.0.0.1:1/v1", headers={"x-team": "env:TESTCARD_TEAM"})
    line = curl(ask(), target, keyring(target))
    assert not any(secret in line for secret in SECRETS.values())
    assert '"Authorization: Bearer $TESTCARD_API_KEY"' in line
    assert "Authorization" not in curl(ask(), aim("http://127.0.0.1:1/v1", auth="none"), keyring(target))


def test_a_long_body_is_cut_and_says_so() -> None:
    """A body of a megabyte does not fill the report."""
    target = aim("http://127.0.0.1:1/v1")
    line = curl(ask(b'"' + b"x" * 10_000), target, keyring(target))
    assert len(line) < 1000
    assert "10001 bytes in all" in line


def test_headers_of_the_request_replace_the_usual_ones() -> None:
    """Each name is sent once, whatever its case; the User-Agent says who we are."""
    usual = dict(request_headers({}, ask(), "sk-1", "the-id"))
    assert usual == {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
        "X-Request-Id": "the-id",
        "Content-Type": "application/json",
        "Authorization": "Bearer sk-1",
    }
    own = ask(headers=(("user-agent", "OpenAI/Python"), ("CONTENT-TYPE", "text/plain")))
    lines = request_headers({"X-Team": "blue"}, own, None, "the-id")
    names = [name.lower() for name, _ in lines]
    assert sorted(names) == sorted(set(names))
    assert ("user-agent", "OpenAI/Python") in lines
    assert "authorization" not in names
    assert "content-type" not in [name.lower() for name, _ in request_headers({}, ask(None), None, "i")]


def test_a_literal_authorization_is_sent_in_place_of_a_key() -> None:
    """Wrong credentials are literal, and no good key goes out beside them."""
    lines = dict(request_headers({}, ask(authorization="Bearer sk-wrong"), "sk-good", "i"))
    assert lines["Authorization"] == "Bearer sk-wrong"
    assert Received("GET", "/", (("A", "1"),), b"").header("a") == "1"


@needs_curl
@pytest.mark.parametrize("name", PRESENTATIONS)
def test_the_line_presents_the_key_as_the_request_does(name: str) -> None:
    """In whatever scheme, place or form: over the wire goes the same, and the line holds nothing of the key."""
    with scripted(lambda _: reply(200, {})) as server:
        target = aim(server.base_url)
        keys = keyring(target)
        sent = ask(presented=name)
        line = curl(sent, target, keys)
        made = Sender(target, keys, judge=silent, sink=Shelf(), budget=Budget(), redactor=Redactor(keys.secrets))
        made.send(sent)
        made.close()
        pasted(line)
    ours, theirs = server.received
    assert ours.path == theirs.path
    assert ours.header("authorization") == theirs.header("authorization")
    assert json.loads(ours.body) == json.loads(theirs.body)
    key = SECRETS["TESTCARD_API_KEY"]
    assert key[: len(key) // 2] not in line
    assert Redactor(keys.secrets).text(line) == line  # it is written as it is


@pytest.mark.parametrize("name", PRESENTATIONS)
def test_no_record_holds_the_key_however_it_is_presented(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nor what was sent in its place: not in the address, a header, an error, or a log of the HTTP client's."""
    caplog.set_level("DEBUG")
    key = "sk-SECOND-0123456789-abcdef"
    shelf = Shelf()

    def answer(r: Received) -> bytes:
        echo = f"{r.path} {r.header('authorization')} {r.body.decode()}"
        return reply(401, {"error": {"message": echo}}, ("X-Echo", echo))

    with scripted(answer) as server:
        target = aim(server.base_url)
        keys = Keyring(target, {"TESTCARD_SECOND_KEY": key})
        made = Sender(target, keys, judge=silent, sink=shelf, budget=Budget(), redactor=Redactor(keys.secrets))
        found = made.send(ask(presented=name, key="second"))
        made.close()
    assert found.secrets_seen
    written = json.dumps(shelf.records[0].to_json()) + found.url
    logged = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpcore"))
    for secret in keys.secrets:
        assert secret not in written
        assert secret not in logged
    sent = server.received[0]
    value = PRESENTATIONS[name].value(key)
    assert value in f"{sent.path} {sent.header('authorization')} {sent.body.decode()}"
