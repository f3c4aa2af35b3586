"""The one way to send, against servers that misbehave byte by byte."""

from __future__ import annotations

import base64
import gzip
import json
import os
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripted import Answer, Received, Scripted, Shelf, aim, ask, reply, scripted, silent
from testcard.core.budget import Budget
from testcard.core.errors import BudgetExhausted, UsageError
from testcard.core.exchange import Exchange
from testcard.core.redact import Redactor
from testcard.core.send import Sender
from testcard.core.target import Keyring, Limit, Target, header_secrets
from testcard.core.transcript import shape

KEY = "sk-main-0123456789"
ENVIRON = {"TESTCARD_API_KEY": KEY, "TESTCARD_LIMITED_KEY": "sk-limited-0123456789"}
PICTURE = {"created": 1, "data": [{"b64_json": base64.b64encode(b"x" * 300).decode()}]}


class Bench:
    """A sender with a shelf for its records."""

    def __init__(self, target: Target, budget: Budget | None = None) -> None:
        keyring = Keyring(target, ENVIRON)
        self.shelf = Shelf()
        self.redactor = Redactor((*keyring.values, *header_secrets(target)))
        self.sender = Sender(
            target, keyring, judge=silent, sink=self.shelf, budget=budget or Budget(), redactor=self.redactor
        )


@contextmanager
def bench(answer: Answer, budget: Budget | None = None, **fields: object) -> Iterator[tuple[Bench, Scripted]]:
    with scripted(answer) as server:
        made = Bench(aim(server.base_url, **fields), budget)
        try:
            yield made, server
        finally:
            made.sender.close()


def once(answer: Answer, **fields: object) -> tuple[Exchange, Bench]:
    with bench(answer, None, **fields) as (made, _):
        return made.sender.send(ask()), made


def test_a_good_answer_is_kept_whole() -> None:
    """Status, header lines as spelt and in order, body, spans; and its record without the picture's bytes."""
    exchange, made = once(lambda _: reply(200, PICTURE, ("X-Odd-CASE", "1"), ("x-odd-case", "2")))
    response = exchange.response
    assert response is not None
    assert exchange.failure is None
    assert response.json == PICTURE
    assert [line for line in response.headers if line[0].lower() == "x-odd-case"] == [
        ("X-Odd-CASE", "1"),
        ("x-odd-case", "2"),
    ]
    spans = (exchange.planned_s, exchange.sent_s, exchange.first_byte_s, exchange.last_byte_s)
    assert list(spans) == sorted(spans, key=float)  # type: ignore[arg-type]  # none of them is None
    record = made.shelf.records[0]
    assert (record.status, record.shape, record.images, record.key) == (200, "object{created,data}", 1, "main")
    assert record.body is None


def test_every_request_says_who_asks_and_carries_the_key() -> None:
    """Bearer key, an id of its own, no compression asked for; another role another key, no role none."""
    with bench(lambda _: reply(200, {}), headers={"x-team": "blue"}) as (made, server):
        made.sender.send(ask())
        made.sender.send(ask(key="limited"))
        made.sender.send(ask(key=None))
        made.sender.send(ask(key="second"))
    keys = [request.header("authorization") for request in server.received]
    assert keys == [f"Bearer {KEY}", "Bearer sk-limited-0123456789", None, None]
    assert len({request.header("x-request-id") for request in server.received}) == 4
    assert {request.header("x-team") for request in server.received} == {"blue"}
    assert {request.header("accept-encoding") for request in server.received} == {"identity"}
    assert all("testcard/" in str(request.header("user-agent")) for request in server.received)


def test_a_target_without_keys_gets_none() -> None:
    """With auth = none the environment's key stays at home."""
    with bench(lambda _: reply(200, {}), auth="none") as (made, server):
        made.sender.send(ask())
    assert server.received[0].header("authorization") is None


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("name", "message", "kind"),
    [
        ("shorter than announced", HEAD + b"Content-Length: 100\r\n\r\n{}", "framing"),
        ("chunks cut off", HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n5\r\nab", "framing"),
        ("no last chunk", HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "framing"),
        ("a chunk of no size", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "framing"),
        ("gzip that is none", HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "framing"),
        ("gzip cut off", reply(200, gzip.compress(b"{}")[:-6], ("Content-Encoding", "gzip")), "framing"),
        ("a coding that nobody knows", HEAD + b"Content-Encoding: zip9\r\nContent-Length: 2\r\n\r\n{}", "framing"),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "framing"),
        ("no header's end", b"HTTP/1.1 200 OK\r\nContent-Le", "closed"),
        ("nothing at all", b"", "closed"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_broken_message_is_a_failure_with_a_name(name: str, message: bytes, kind: str) -> None:
    """Never an exception: the exchange says what was wrong, its record too, and what did come is kept."""
    exchange, made = once(lambda _: message)
    assert exchange.failure is not None, name
    assert exchange.failure.kind in {kind, "framing"}, exchange.failure
    assert exchange.failure.message
    assert str(made.shelf.records[0].failure).startswith(exchange.failure.kind)
    if message.startswith(HEAD):
        assert exchange.status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "gzip, identity", "GZIP"])
def test_a_true_content_coding_is_removed(coding: str) -> None:
    """A server that compresses though nobody asked is understood."""
    data = zlib.compress(b'{"a": 1}') if coding == "deflate" else gzip.compress(b'{"a": 1}')
    exchange, _ = once(lambda _: reply(200, data, ("Content-Encoding", coding)))
    assert exchange.failure is None
    assert exchange.response is not None
    assert exchange.response.json == {"a": 1}


@pytest.mark.parametrize(
    "pieces",
    [
        [5.0, reply(200, {})],  # no first byte
        [HEAD + b"Content-Length: 9\r\n\r\n", 5.0, b'{"a": 11}'],  # no second one
        [HEAD + b"Content-Length: 40\r\n\r\n", *([b" ", 0.1] * 40)],  # a drip that never pauses for long
    ],
    ids=["silence", "pause", "drip"],
)
def test_a_slow_answer_ends_at_the_deadline(pieces: list[bytes | float]) -> None:
    """The deadline holds for the whole answer, not for the pause between two bytes."""
    exchange, _ = once(lambda _: pieces, timeout_s=0.5)
    assert exchange.failure is not None
    assert exchange.failure.kind == "timeout"
    assert "0.5 s" in exchange.failure.message


@pytest.mark.parametrize(
    "announced", [b"Content-Length: 3\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"]
)
def test_waiting_for_bytes_that_were_only_announced_is_no_slowness(announced: bytes) -> None:
    """Nothing is missing in a whole JSON text: that its connection stays open until the deadline is a broken frame."""
    exchange, _ = once(lambda _: [HEAD + announced, 5.0], timeout_s=0.5)
    assert exchange.failure is not None
    assert exchange.failure.kind == "framing"
    assert "whole JSON text" in exchange.failure.message


def test_a_redirect_is_not_followed() -> None:
    """The key must not go where a Location points; the redirect is the answer."""
    with scripted(lambda _: reply(200, PICTURE)) as elsewhere:
        exchange, made = once(lambda _: reply(307, b"", ("Location", elsewhere.base_url)))
        assert elsewhere.connections == 0
    assert exchange.status == 307
    assert made.shelf.records[0].images == 0


def test_a_dead_port_is_a_failure() -> None:
    """Nobody listens: connect."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody else gets the port, and nobody listens
        made = Bench(aim(f"http://127.0.0.1:{taken.getsockname()[1]}/v1"))
        exchange = made.sender.send(ask())
        made.sender.close()
    assert exchange.failure is not None
    assert exchange.failure.kind == "connect"
    assert exchange.response is None


def test_on_loopback_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a proxy nor a netrc of the user's comes between."""
    with scripted(lambda _: reply(500)) as proxy, scripted(lambda _: reply(200, {})) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("HOME", str(tmp_path))
        made = Bench(aim(server.base_url))
        made.sender.send(ask(key=None))
        made.sender.close()
        assert proxy.connections == 0
        assert server.received[0].header("authorization") is None


def test_the_picture_is_fetched_without_the_key() -> None:
    """A URL in the answer is fetched without Authorization and team headers, and counted apart."""

    def answer(request: Received) -> bytes:
        if request.method == "GET":
            return reply(200, b"\x89PNG", ("Content-Type", "image/png"))
        url = f"http://{request.header('host')}/x.png?sig=abcdef"
        return reply(200, {"data": [{"url": url}, {"url": "http://127.0.0.1:1/other"}, {"url": 5}, "x"]})

    with bench(answer, headers={"x-team": "blue"}, media_hosts=("127.0.0.1:1",)) as (made, server):
        exchange = made.sender.send(ask())
    _, fetch = server.received
    assert (fetch.header("authorization"), fetch.header("x-team"), fetch.header("x-request-id")) == (None, None, None)
    assert [media.status for media in exchange.media] == [200, None]
    assert (made.sender.requests, made.sender.media_fetches) == (1, 2)
    assert made.shelf.records[0].media_fetches == 2
    assert "abcdef" not in json.dumps(made.shelf.records[0].to_json())


def test_a_picture_on_a_private_address_is_not_fetched() -> None:
    """Not asked for at all, and the reason stands in its place."""
    with scripted(lambda _: reply(200)) as inside:
        # 0.0.0.0 reaches this machine, and is neither public nor loopback.
        body = {"data": [{"url": f"http://0.0.0.0:{inside.port}/latest/meta-data"}]}
        exchange, made = once(lambda _: reply(200, body))
        assert inside.connections == 0
    assert exchange.media[0].failure is not None
    assert exchange.media[0].failure.kind == "not-fetched"
    assert made.sender.media_fetches == 0


def test_an_echoed_key_is_noticed_and_recorded_nowhere() -> None:
    """In a body, in a header, percent-encoded: the exchange says where, the record holds none."""
    with bench(
        lambda r: reply(
            401, {"error": {"message": f"no key {KEY.upper()}"}}, ("X-Echo", str(r.header("authorization")))
        )
    ) as (made, _):
        exchange = made.sender.send(ask())
    assert exchange.secrets_seen == ("the body", "the header X-Echo")
    written = json.dumps(made.shelf.records[0].to_json())
    assert KEY.lower() not in written.lower()
    assert "[redacted]" in written


def test_a_key_that_is_a_word_is_not_noticed() -> None:
    """What stands in for a key where none is asked for (`openai`) stands in answers by itself."""
    answer = reply(200, {"data": [{"owned_by": "openai"}]}, ("openai-version", "2020-10-01"))
    with scripted(lambda _: answer) as server:
        target = aim(server.base_url)
        keyring = Keyring(target, dict.fromkeys(ENVIRON, "openai"))
        made = Sender(target, keyring, judge=silent, sink=Shelf(), budget=Budget(), redactor=Redactor(keyring.secrets))
        exchange = made.send(ask())
        made.close()
    assert exchange.secrets_seen == ()


def test_nothing_is_sent_over_the_budget() -> None:
    """What an answer really billed counts; the request that could bill one too many is never sent."""
    with bench(lambda _: reply(200, PICTURE), Budget(3)) as (made, server):
        made.sender.send(ask(images=2))  # one picture came
        made.sender.send(ask(images=2))
        with pytest.raises(BudgetExhausted):
            made.sender.send(ask(images=2))
        assert len(server.received) == 2
        assert made.sender.budget.spent == 2
        made.sender.send(ask(images=0))


def test_what_fails_frees_its_reservation() -> None:
    """A refusal and a broken connection bill nothing."""
    answers = iter([reply(400, {}), b"", reply(200, PICTURE)])
    with bench(lambda _: next(answers), Budget(1)) as (made, _):
        for _ in range(3):
            made.sender.send(ask())
        assert made.sender.budget.left == 0


def test_the_main_key_keeps_its_declared_limit() -> None:
    """The fourth request of 3 in a window waits; the limited key and wrong ones do not count."""
    with bench(lambda _: reply(200, {}), limit=Limit(3, 0.6)) as (made, _):
        for _ in range(4):
            made.sender.send(ask())
        for key in ("limited", None):
            made.sender.send(ask(key=key))
    times = made.sender.pacer.sent
    assert len(times) == 4
    assert times[3] - times[0] >= 0.6


def test_numbers_are_unique_across_threads() -> None:
    """Records of requests sent side by side are numbered without gaps."""
    with bench(lambda _: reply(200, {})) as (made, _):
        threads = [threading.Thread(target=lambda: [made.sender.send(ask()) for _ in range(5)]) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(record.number for record in made.shelf.records) == list(range(1, 31))


@pytest.mark.parametrize("fields", [{"ca_file": __file__}, {"headers": {"x": "a\r\nb: c"}}], ids=["ca", "header"])
def test_a_target_that_cannot_be_sent_is_one_sentence(fields: dict[str, object]) -> None:
    """No certificates in ca_file, a header that no request can carry: a usage error."""
    with pytest.raises(UsageError):
        once(lambda _: reply(200, {}), **fields)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", "empty"), (b"[1]", "array"), (b'"x"', "str"), (b"<p>", "text/html"), (b'{"b":1,"a":2}', "object{a,b}")],
)
def test_the_shape_of_an_answer_is_told(body: bytes, kind: str) -> None:
    """What is compared when answers look all alike."""
    exchange, _ = once(lambda _: reply(200, body, ("Content-Type", "text/html")))
    assert exchange.response is not None
    assert shape(exchange.response) == kind
    assert exchange.received_at <= time.time()
    assert os.environ.get("TESTCARD_API_KEY") != KEY
