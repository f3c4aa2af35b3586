"""The official SDKs: what they make of answers, right, ugly and wrong, and what they are kept from."""

from __future__ import annotations

import json
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from scripted import Received, reply, scripted
from testcard import schemas
from testcard.conformance import CheckOptions, Contract
from testcard.conformance.judge.evidence import Evidence
from testcard.conformance.opening import open_session
from testcard.conformance.probe import sdk as probe
from testcard.conformance.sdk import Samples, Sdk, SdkSilent, compare, installed, replaying
from testcard.conformance.sdk.process import _Process
from testcard.conformance.session import Session
from testcard.conformance.suite import begin, finish, suite
from testcard.core.exchange import Exchange, Failure, Request, Response, Violation
from testcard.core.summary import RequirementResult
from testcard.core.target import Keyring
from testcard.core.targetfile import profile_target
from testcard.mock_server import MockSettings, running

MOCK = profile_target("mock")
ROWS = ("sdk.pictures", "sdk.errors", "sdk.retries")
B64 = {"b64_json": "iVBORw0KGgo="}
URL = {"url": "https://media.example.com/a.png?sig=1"}


@pytest.fixture
def sdks() -> tuple[Sdk, ...]:
    """openai-python, which the tests bring, and openai-node where it is installed."""
    found = installed()
    assert "openai-python" in {each.name for each in found}
    return found


def good(*items: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"created": 1_800_000_000, "data": list(items or (B64,))} | more


def error(**more: Any) -> dict[str, Any]:
    return {"error": {"message": 'It\'s "not" here.', "type": "not_found"} | more}


def answered(
    status: int, body: object, headers: Mapping[str, str | None] | None = None, form: str = "b64_json", **changes: Any
) -> Exchange:
    """An exchange of a good request."""
    usual = {"Content-Type": "application/json", "x-request-id": "req-1"} | dict(headers or {})
    lines = tuple((name, value) for name, value in usual.items() if value is not None)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"model": "m", "prompt": "a cat", "response_format": form}
    request = Request("a cat", body=json.dumps(fields).encode(), images=1)
    response = Response(status, lines, data)
    return Exchange(request, 7, "u", "req-1", (), "now", 0.0, 0.0, response=response, **changes)


def findings(each: Sdk, exchange: Exchange, dialect: str = "page") -> tuple[set[str], set[str]]:
    """The requirements that held, and those that broke."""
    assert exchange.response is not None
    evidence = Evidence(exchange, Contract.of(replace(MOCK, dialect=dialect)), full=False)
    with replaying([exchange.response]) as server:
        (told,) = each.call([server.call(0)])
        found = list(compare(each, evidence, told, server.asked[0]))
    assert all(finding.expected and finding.evidence == (7,) for finding in found)
    assert all(str(each) in finding.actual for finding in found if not finding.held and "created" not in finding.actual)
    return {f.requirement for f in found if f.held}, {f.requirement for f in found if not f.held}


PICTURES, ERRORS = {"sdk.pictures"}, {"sdk.errors", "sdk.retries"}
FINE: dict[str, tuple[Exchange, set[str]]] = {
    "base64": (answered(200, good(B64, B64)), PICTURES),
    "a url": (answered(200, good(URL), form="url"), PICTURES),
    # Ugly, and the judges of raw HTTP say so. An SDK takes it as it is.
    "created as text": (answered(200, good(created="2026")), PICTURES),
    "created as a fraction": (answered(200, good(created=1.5)), PICTURES),
    "both forms": (answered(200, good(B64 | URL)), PICTURES),
    "null beside it": (answered(200, good(B64 | {"url": None, "revised_prompt": None})), PICTURES),
    "keys that nobody knows": (answered(200, good(B64 | {"seed": 1}, cost=0.1)), PICTURES),
    "a charset": (answered(200, good(), {"Content-Type": "application/json; charset=utf-8"}), PICTURES),
    "a label in capitals": (answered(200, good(), {"Content-Type": "Application/JSON"}), PICTURES),
    "escaped slashes": (answered(200, json.dumps(good(URL)).replace("/", "\\/").encode(), form="url"), PICTURES),
    "a byte order mark": (answered(200, b"\xef\xbb\xbf" + json.dumps(good()).encode()), PICTURES),
    "no request id": (answered(200, good(), {"x-request-id": None}), PICTURES),
    "400": (answered(400, error()), ERRORS),
    "401": (answered(401, error()), ERRORS),
    "402 has no class of its own": (answered(402, error(type="insufficient_credits")), ERRORS),
    "403": (answered(403, error()), ERRORS),
    "404": (answered(404, error(param=None, code=None)), ERRORS),
    "405": (answered(405, error()), ERRORS),
    "413": (answered(413, error()), ERRORS),
    "422": (answered(422, error()), ERRORS),
    "429 is tried again": (answered(429, error(), {"Retry-After": "7"}), ERRORS),
    "429 without a wait": (answered(429, error()), ERRORS),
    "429 for an hour is the SDK's own affair": (answered(429, error(), {"Retry-After": "3600"}), {"sdk.errors"}),
    "429 with a wait that is none": (answered(429, error(), {"Retry-After": "soon"}), ERRORS),
    "500": (answered(500, error()), ERRORS),
    "503 with advice": (answered(503, error(), {"x-should-retry": "true"}), ERRORS),
    "502, which the dialect does not name": (answered(502, error()), {"sdk.errors"}),
    "409, which the SDK tries again for reasons of its own": (answered(409, error()), {"sdk.errors"}),
    "an integer code": (answered(402, error(code=402)), ERRORS),
    "no type": (answered(404, {"error": {"message": "no"}}), ERRORS),
    "an error that is a sentence": (answered(400, {"error": "prompt required"}), ERRORS),
    "detail": (answered(422, {"detail": [{"loc": ["body"], "msg": "no"}]}), ERRORS),
    "a page of HTML": (answered(503, b"<html>busy</html>", {"Content-Type": "text/html"}), ERRORS),
    "nothing at all": (answered(503, b"", {"Content-Type": None}), ERRORS),
    "no request id in an error": (answered(404, error(), {"x-request-id": None}), ERRORS),
    "a message of other scripts": (answered(404, error(message="没有 🐈")), ERRORS),
    # No pictures, and no error that could be read: nothing is expected of an SDK.
    "an empty object": (answered(200, {}), set()),
    "no pictures": (answered(200, good() | {"data": []}), set()),
    "a page for a picture": (answered(200, b"<html></html>", {"Content-Type": "text/html"}), set()),
}  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_an_sdk_is_content_with_what_it_accepts(sdks: tuple[Sdk, ...], name: str) -> None:
    """Right answers hold, ugly ones are not blamed a second time."""
    exchange, held = FINE[name]
    assert {str(each): findings(each, exchange) for each in sdks} == dict.fromkeys(map(str, sdks), (held, set()))


WRONG: dict[str, tuple[Exchange, set[str]]] = {
    "a second JSON text": (answered(200, json.dumps(good()).encode() + b"{}"), {"sdk.pictures"}),
    "a second JSON text in an error": (answered(404, json.dumps(error()).encode() + b"{}"), {"sdk.errors"}),
    "an error in a 200": (answered(200, error()), {"sdk.errors"}),
    "402 that is to be tried again": (answered(402, error(), {"x-should-retry": "true"}), {"sdk.retries"}),
    "400 that is to be tried again": (answered(400, error(), {"x-should-retry": "true"}), {"sdk.retries"}),
    "429 that is not to be tried again": (answered(429, error(), {"x-should-retry": "false"}), {"sdk.retries"}),
    "503 that is not to be tried again": (answered(503, error(), {"x-should-retry": "false"}), {"sdk.retries"}),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_an_sdk_stumbles_over_is_said(sdks: tuple[Sdk, ...], name: str) -> None:
    """The SDK's user does not get what the answer holds, or the SDK does what the contract does not mean."""
    exchange, broken = WRONG[name]
    assert {str(each): findings(each, exchange)[1] for each in sdks} == dict.fromkeys(map(str, sdks), broken)


def test_each_sdk_is_judged_by_what_it_does(sdks: tuple[Sdk, ...]) -> None:
    """Node's reads a body by its label, so text/plain is a string to it; Python's parses it all the same."""
    exchange = answered(200, good(), {"Content-Type": "text/plain"})
    found = {each.name: findings(each, exchange)[1] for each in sdks}
    assert found == {each.name: PICTURES if each.name == "openai-node" else set() for each in sdks}


# What they are kept from.


def test_an_sdk_gets_no_key_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment only what finds files reaches its process."""
    secrets = {"OPENAI_API_KEY": "k1", "TESTCARD_API_KEY": "k2", "HTTPS_PROXY": "http://p", "OPENAI_BASE_URL": "u"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    process = _Process([sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"])
    seen = process.ask(None)
    process.end()
    assert "PATH" in seen
    assert not secrets.keys() & seen.keys()
    assert not set(secrets.values()) & set(seen.values())


def test_an_sdk_sends_a_key_that_opens_nothing(sdks: tuple[Sdk, ...]) -> None:
    """What it sends to the server it is pointed at: its own form, and no key of anybody's."""
    received: list[Received] = []

    def answer(request: Received) -> bytes:
        received.append(request)
        return reply(404, error())

    with scripted(answer) as server:
        for each in sdks:
            each.call([{"base_url": server.base_url, "max_retries": 0}])
    assert [(one.method, one.path) for one in received] == [("POST", "/v1/images/generations")] * len(sdks)
    assert {one.header("authorization") for one in received} == {"Bearer sk-no-key"}


def test_a_replay_leads_nowhere(sdks: tuple[Sdk, ...]) -> None:
    """Neither a redirect nor a cookie of the target reaches an SDK, and what is not JSON does no harm."""
    with scripted(lambda _: reply(200, good())) as elsewhere:
        lines = {"Location": f"{elsewhere.base_url}/images/generations", "Set-Cookie": "a=b", "X-Odd": "\xff"}
        assert all(findings(each, answered(404, error(), lines)) == (ERRORS, set()) for each in sdks)
    assert elsewhere.received == []


def test_a_client_that_hangs_up_makes_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    """A connection that is reset in the middle of a request leaves nothing on the terminal, and the next is served."""
    answer = Response(200, (("Content-Type", "application/json"),), b"{}")
    head = b"POST /0/v1/images/generations HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
    with replaying([answer]) as replay:
        with socket.create_connection(("127.0.0.1", replay.server_address[1])) as client:
            client.sendall(head)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
        with socket.create_connection(("127.0.0.1", replay.server_address[1])) as client:
            client.sendall(head + b"Connection: close\r\n\r\n{}")
            assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
    assert capfd.readouterr().err == ""


def test_of_each_kind_the_first_answer_is_kept() -> None:
    """By status, shape, form and advice; what broke off, redirects and good answers to bad requests are not."""
    samples = Samples()
    bad = Request("bad", body=b"{}", violations=(Violation("generate.n-type", "n", "type", "integer", "x"),))
    kept = [
        answered(200, good()), answered(200, good(URL), form="url"), answered(404, error()),
        answered(404, {"detail": 1}), answered(429, error()), answered(429, error(), {"x-should-retry": "false"}),
    ]  # fmt: skip
    passed = [
        answered(200, good()), answered(303, b""), answered(202, {"id": "job"}),
        replace(answered(200, good()), request=bad),
        answered(200, good(x=1), failure=Failure("framing", "short")),
    ]  # fmt: skip
    for exchange in (*kept, *passed):
        samples.add(exchange)
    assert samples.exchanges() == kept


def outcomes(rows: tuple[str, ...] = ROWS) -> tuple[dict[str, RequirementResult], int]:
    """How the rows end on the correct mock, and how many requests it took."""
    with running(MockSettings(window_s=1.0)) as base_url:
        target = replace(profile_target("mock"), base_url=base_url)
        session = Session(target, Keyring(target, {}), CheckOptions())
        try:
            open_session(session)
            table = suite()
            begin(session, [(name, table[name]) for name in rows])
            for name in rows:
                finish(session, name)
        finally:
            session.close()
    return {name: session.tally.result(name) for name in rows}, session.sender.requests


def _ends_at_once() -> Iterator[Sdk]:
    process = _Process([sys.executable, "-c", "print({})"])
    yield Sdk("openai-python", "0", "APIStatusError", process)
    process.end()


def test_without_an_sdk_nothing_is_judged_and_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not judged, never a pass; a SHOULD, so that nobody's verdict depends on it; and no request more or less."""
    _, requests = outcomes()
    monkeypatch.setattr(probe, "installed", lambda: ())
    results, without = outcomes()
    assert requests == without
    for name, result in results.items():
        assert result.outcome == "not-judged"
        assert "pip install openai" in (result.reason or "")
        assert schemas.requirements()[name].level == "SHOULD"


def test_an_sdk_that_breaks_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends, or says something else, leaves its rows unjudged with the reason."""
    for broken in _ends_at_once():
        monkeypatch.setattr(probe, "installed", lambda found=broken: (found,))
        results, _ = outcomes()
        assert {result.outcome for result in results.values()} == {"not-judged"}
        assert all("openai-python 0" in (result.reason or "") for result in results.values())


def test_a_process_that_is_gone_says_so() -> None:
    """Whoever asks gets an error that says it, each time."""
    process = _Process([sys.executable, "-c", "pass"])
    questions: tuple[Any, ...] = (None, [])
    for question in questions:
        with pytest.raises(SdkSilent, match="ended"):
            process.ask(question)
