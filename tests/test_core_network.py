"""The network under the client: one deadline for a whole exchange, checked addresses, and what follows an answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable

import pytest

from scripted import Received, Shelf, aim, ask, reply, scripted, silent
from testcard.core.budget import Budget
from testcard.core.errors import UsageError
from testcard.core.exchange import Exchange
from testcard.core.network import excess
from testcard.core.redact import Redactor
from testcard.core.send import Sender
from testcard.core.target import Keyring, Target

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def sender(target: Target) -> Sender:
    return Sender(
        target, Keyring(target, {}), judge=silent, sink=Shelf(), budget=Budget(), redactor=Redactor(())
    )  # fmt: skip


def exchange(answer: bytes | Iterable[bytes | float], **fields: object) -> Exchange:
    with scripted(lambda _: answer) as server:
        made = sender(aim(server.base_url, **fields))
        try:
            return made.send(ask())
        finally:
            made.close()


def drip(data: bytes) -> Iterable[bytes | float]:
    """A byte, a pause, a byte: no pause is longer than a tenth of the deadline."""
    for byte in data:
        yield bytes([byte])
        yield 0.05


@pytest.mark.parametrize(
    "answer",
    [
        drip(HEAD + b"X-Long: " + b"x" * 200),  # the header never ends
        [HEAD + b"Content-Length: 200\r\n\r\n", *drip(b" " * 200)],  # the body does not
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *drip(b"1\r\n \r\n" * 40)],  # nor do the chunks
        [b"HTTP/1.1 100 Continue\r\n\r\n", *drip(b"HTTP/1.1 102 Processing\r\n\r\n" * 8)],  # only promises
    ],
    ids=["header", "body", "chunks", "promises"],
)
def test_a_dripping_server_ends_at_the_deadline(answer: Iterable[bytes | float]) -> None:
    """Wherever it drips, the answer is not complete when it has to be: a timeout, and not much later."""
    begun = time.monotonic()
    found = exchange(answer, timeout_s=0.5)
    assert found.failure is not None
    assert found.failure.kind == "timeout"
    assert time.monotonic() - begun < 5.0  # to the end it would take 10 s


def test_a_dripping_picture_ends_at_the_deadline() -> None:
    """The fetch of a picture has a deadline of its own, of the same length."""

    def answer(request: Received) -> bytes | Iterable[bytes | float]:
        if request.method == "GET":
            return [b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n", *drip(b"x" * 200)]
        return reply(200, {"data": [{"url": f"http://{request.header('host')}/x.png"}]})

    with scripted(answer) as server:
        made = sender(aim(server.base_url, timeout_s=0.5))
        (fetch,) = made.send(ask()).media
        made.close()
    assert fetch.failure is not None
    assert fetch.failure.kind == "timeout"


WHOLE = HEAD + b"Content-Length: 2\r\n\r\n{}"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "beyond"),
    [
        ([HEAD + b'Content-Length: 1\r\n\r\n{"a": 1}'], b'"a": 1}'),  # the length counts something else
        ([WHOLE + HEAD], HEAD),  # a second answer
        ([CHUNKED + b"0\r\n\r\n"], b"0\r\n\r\n"),  # a chunk after the last
        ([HEAD + b"Content-Length: 1\r\n\r\n{", b"}"], b"}"),  # in a packet of its own
        ([b"HTTP/1.1 103 Early Hints\r\n\r\n" + WHOLE + b"!"], b"!"),  # behind an interim answer
        ([WHOLE], b""),
        ([CHUNKED], b""),
        ([WHOLE + b"\r\n"], b""),  # an empty line may be thrown away (RFC 9112, section 9.2)
        ([HEAD + b"Connection: close\r\n\r\n{}"], b""),  # until the connection closes: all of it is the body
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"], b""),
    ],
    ids=range(10),
)
def test_what_follows_an_answer_is_seen(answer: list[bytes], beyond: bytes) -> None:
    """However it is framed: what stands behind its end is a failure of framing, and the answer itself is kept."""
    assert excess("POST", answer).startswith(beyond)
    found = exchange(answer)
    assert found.status == 200
    if beyond:
        assert found.failure is not None
        assert found.failure.kind == "framing"
        assert "follow the end" in found.failure.message
    else:
        assert found.failure is None
        assert excess("POST", answer).strip() == b""


def test_an_answer_to_head_has_no_body() -> None:
    """Its Content-Length is that of the GET."""
    assert excess("HEAD", [HEAD + b"Content-Length: 10\r\n\r\n"]) == b""


def test_a_picture_comes_from_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name resolves once to a public address, and the next time to the machine's own: nothing inside is asked."""
    asked: list[str] = []
    connected: list[object] = []
    resolve, connect = socket.getaddrinfo, socket.create_connection

    def rebound(host: str, port: int, *rest: object, **more: object) -> object:
        if host != "pictures.example":
            return resolve(host, port, *rest, **more)  # type: ignore[arg-type]  # handed through
        asked.append(host)
        address = "198.51.100.7" if len(asked) > 1 else "93.184.215.14"
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))]

    def remember(address: tuple[str, int], *rest: object, **more: object) -> socket.socket:
        if address[0].startswith("127."):
            return connect(address, *rest, **more)  # type: ignore[arg-type]  # handed through
        connected.append(address)
        raise OSError("nobody leaves this machine")

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    monkeypatch.setattr(socket, "create_connection", remember)
    found = exchange([reply(200, {"data": [{"url": "http://pictures.example:81/x.png"}]})])
    assert connected
    assert set(connected) == {("93.184.215.14", 81)}
    assert found.media[0].failure is not None


def test_off_loopback_the_environment_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that is reached through a proxy only is asked through it; NO_PROXY keeps others out of it."""
    for name in ("ALL_PROXY", "all_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with scripted(lambda _: reply(200, {})) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        made = sender(aim("http://api.invalid/v1"))
        found = made.send(ask())
        made.close()
        assert found.status == 200
        assert proxy.received[0].path == "http://api.invalid/v1/images/generations"
        monkeypatch.setenv("no_proxy", "api.invalid")
        made = sender(aim("http://api.invalid/v1"))
        assert made.send(ask()).failure is not None
        made.close()


def test_a_proxy_of_another_kind_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """SOCKS is not spoken: said before anything is sent."""
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    made = sender(aim("http://api.invalid/v1"))
    with pytest.raises(UsageError, match="socks5"):
        made.send(ask())
    made.close()


@pytest.mark.parametrize(
    ("head", "bare"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\n", False),
        ((HEAD + b"Content-Length: 2\r\n\r\n").replace(b"\r\n", b"\n"), True),
        (HEAD + b"Content-Length: 2\n\r\n", True),  # one line of them
        (HEAD + b"Content-Length: 2\r\n\n", True),  # the empty one
    ],
)
def test_the_line_ends_of_a_head_are_seen(head: bytes, bare: bool) -> None:
    """A line that ends in LF alone is noticed, although the answer is read; what a body holds is no line."""
    found = exchange(head + b"\n\n")
    assert (found.status, found.bare_lf) == (200, bare)
