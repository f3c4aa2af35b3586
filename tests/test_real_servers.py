"""What real servers taught us (docs/real-servers.md): answers that accuse nobody, and answers that prove nothing."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from testcard.conformance import CheckOptions
from testcard.conformance.opening import open_session
from testcard.conformance.session import Session
from testcard.conformance.suite import begin, finish, suite
from testcard.core.judgement import Judgement
from testcard.core.summary import RequirementResult
from testcard.core.target import Keyring, Target
from testcard.load.classify import classify

Item = Callable[[dict[str, Any], int], dict[str, Any]]
"""Makes an item of `data` from the request's body and the server's port."""


def png(size: str = "1024x1024") -> bytes:
    """A picture of two colours."""
    width, height = map(int, size.split("x"))
    picture = Image.new("RGB", (width, height), "teal")
    picture.paste("orange", (0, 0, width // 2, height))
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def serving(item: Item) -> Iterator[str]:
    """A server without keys that answers every POST with one item, and every GET with a picture."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            try:
                fields = json.loads(body)
                made = item(fields, self.server.server_port)  # type: ignore[attr-defined]  # of a TCP server
            except (ValueError, AttributeError):
                self._send(400, "application/json", b'{"error": {"message": "no", "type": "invalid_request_error"}}')
                return
            document = {"created": int(time.time()), "data": [made]}
            self._send(200, "application/json", json.dumps(document).encode())

        def do_GET(self) -> None:
            self._send(200, "image/png", png())

        def _send(self, status: int, media_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


def judged(item: Item, name: str) -> RequirementResult:
    """How a requirement ends on such a server."""
    with serving(item) as base_url:
        target = Target(base_url, model="any", auth="none", sizes=("512x512", "768x1024"))
        session = Session(target, Keyring(target, {}), CheckOptions())
        try:
            open_session(session)
            begin(session, [(name, suite()[name])])
            finish(session, name)
            return session.tally.result(name)
        finally:
            session.close()


def url(address: str) -> Item:
    return lambda fields, port: {"url": address.format(port=port)} if "prompt" in fields else {}


def word(fields: dict[str, Any], _: int) -> dict[str, Any]:
    """What Prism makes of the schema of b64_json."""
    return {"b64_json": "string"} if fields.get("response_format") == "b64_json" else {"url": "http://10.0.0.1/"}


def test_a_200_alone_proves_nothing_about_a_size() -> None:
    """Where no picture can be read, the size is not judged, though the request for it was accepted."""
    assert judged(word, "image.size").outcome == "not-judged"


def test_a_readable_picture_proves_its_size() -> None:
    """The same requests with pictures of the requested size are a pass."""

    def drawn(fields: dict[str, Any], _: int) -> dict[str, Any]:
        return {"b64_json": base64.b64encode(png(fields.get("size", "1024x1024"))).decode()}

    assert judged(drawn, "image.size").outcome == "pass"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://10.0.0.1/a.png", "media_hosts"),  # a private address that nobody declared
        ("http://pictures.invalid/a.png", "does not resolve here"),
    ],
)
def test_what_we_did_not_ask_for_accuses_nobody(address: str, said: str) -> None:
    """A picture that we would not or could not fetch leaves media.fetch unjudged, with what to declare."""
    result = judged(url(address), "media.fetch")
    assert result.outcome == "not-judged"
    assert said in (result.reason or "")


def test_localhost_is_the_same_host_by_another_name() -> None:
    """A server that is called by its address and names its pictures on localhost is fetched from."""
    assert judged(url("http://localhost:{port}/a.png"), "media.fetch").outcome == "pass"


def test_a_data_url_is_named_for_what_it_is() -> None:
    """A data: URL is a wrong scheme, shown in a line of readable length."""
    result = judged(url("data:image/svg+xml;base64," + "A" * 4000), "media.url-absolute")
    assert result.outcome == "fail"
    assert "its scheme is data" in result.actual
    assert len(result.actual) < 200


def test_under_load_a_picture_that_nobody_saw_is_not_valid() -> None:
    """An arrival whose picture was not fetched does not count as a good answer."""
    with serving(url("http://10.0.0.1/a.png")) as base_url:
        target = Target(base_url, model="any", auth="none")
        session = Session(target, Keyring(target, {}), CheckOptions())
        try:
            exchange = session.send(session.asker.good("one", "generate.minimal", session.asker.body("load")))
        finally:
            session.close()
    assert exchange.status == 200
    assert classify(exchange, Judgement(())) == "invalid"
