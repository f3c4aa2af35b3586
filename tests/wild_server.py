# ruff: noqa: ARG002  (a hook is given more than the usual server needs)
"""A small image API that shares no line with the bundled mock: bare sockets, one thread a connection.

By default it keeps the contract of its dialect. Whatever a server may do otherwise, rightly or wrongly, is an
attribute or one method to override: `route`, `authenticate`, `limit`, `validate`, `pay` and `generate` each
answer or pass on; `item`, `success`, `error`, `encode`, `dress` and `frame` shape what is answered.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, BinaryIO, ClassVar, cast

import wild_picture
from wild_limiter import Limiter, SlidingLog

KEYS = {
    "main": "key-of-the-wild-main",
    "second": "key-of-the-wild-second",
    "empty_wallet": "key-of-the-wild-empty",
    "limited": "key-of-the-wild-limited",
}
MODEL = "some-lab/some-model"
SLUGS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "insufficient_credits", 404: "not_found",
    405: "method_not_allowed", 413: "payload_too_large", 415: "unsupported_media_type", 422: "unprocessable",
    429: "rate_limit_error", 500: "server_error", 502: "provider_error", 503: "service_unavailable",
}  # fmt: skip


@dataclass
class Ask:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    path: str = ""
    """Without query and version prefix."""
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


@dataclass
class Reply:
    """An answer before it is framed."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    head: bytes | None = None
    """The status line, where it is an unusual one."""

    def replace(self, name: str, value: str) -> None:
        """Set a header, whatever it was."""
        self.headers = [line for line in self.headers if line[0].lower() != name.lower()] + [(name, value)]


def declare(**fields: Any) -> Mapping[str, Any]:
    """Fields of the target file; None: not declared."""
    return fields


class Wild:
    """A server of the contract. One instance serves one test."""

    dialect: ClassVar[str] = "page"
    declares: Mapping[str, Any] = MappingProxyType({})
    """What the target file says beyond the usual."""
    prefix: ClassVar[str] = "/v1"
    host: ClassVar[str] = "127.0.0.1"
    sizes: ClassVar[tuple[str, ...]] = ("64x64", "48x64", "64x48")
    default_size: ClassVar[str] = "64x64"
    formats: ClassVar[tuple[str, ...]] = ("url", "b64_json")
    max_n: ClassVar[int] = 10
    open_to_all: ClassVar[bool] = False
    media_type: ClassVar[str] = "image/png"
    keys: ClassVar[tuple[str, ...]] = ("main", "empty_wallet")
    """The keys that the client is given; without the limited one no limit is tried."""
    steps: ClassVar[tuple[str, ...]] = ("route", "authenticate", "limit", "validate", "pay", "generate")

    def __init__(self) -> None:
        self.limiter: Limiter = SlidingLog(3, 1.0)
        self.media: dict[str, bytes] = {}
        self.origin = ""
        self.asked = itertools.count(1)
        self.contacted = False
        self.stop: Callable[[], None] = lambda: None

    # Answering: the first step that has a reply ends it.

    def answer(self, ask: Ask) -> Reply:
        """The reply to a request, dressed."""
        for step in self.steps:
            reply: Reply | None = getattr(self, step)(ask)
            if reply is not None:
                return self.dress(ask, reply)
        raise AssertionError("no step answered")

    def route(self, ask: Ask) -> Reply | None:
        path = ask.target.partition("?")[0]
        if path.startswith("/media/") and ask.method == "GET":
            return self.deliver(path, ask)
        if not path.startswith(self.prefix):
            return self.error(404, "There is nothing here.")
        ask.path = path.removeprefix(self.prefix)
        allowed = {"/images/generations": "POST", "/models": "GET"}.get(ask.path)
        if allowed is None:
            return self.error(404, "There is nothing here.")
        if ask.method != allowed:
            return self.wrong_method(allowed)
        return None

    def wrong_method(self, allowed: str) -> Reply:
        reply = self.error(405, "Not with this method.")
        reply.headers.append(("Allow", allowed))
        return reply

    def authenticate(self, ask: Ask) -> Reply | None:
        if self.open_to_all or ask.key in KEYS.values():
            return None
        reply = self.error(401, "Who are you?")
        reply.headers.append(("WWW-Authenticate", 'Bearer realm="wild"'))
        return reply

    def limit(self, ask: Ask) -> Reply | None:
        """The limit of the limited key."""
        if ask.key != KEYS["limited"]:
            return None
        wait = self.limiter.take(ask.key, time.time())
        return self.limited(wait) if wait is not None else None

    def limited(self, wait: int) -> Reply:
        reply = self.error(429, "Too fast.")
        reply.headers.append(("Retry-After", str(wait)))
        return reply

    def validate(self, ask: Ask) -> Reply | None:
        if ask.path == "/models":
            return None
        try:
            body = json.loads(ask.body)
        except (ValueError, RecursionError):
            return self.refusal("The body is not JSON.", None)
        if not isinstance(body, dict):
            return self.refusal("The body is no object.", None)
        ask.fields = {name: value for name, value in body.items() if value is not None or name == "prompt"}
        return self.inspect(ask.fields)

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        """Whether each field is as the contract wants it."""
        if not isinstance(fields.get("prompt"), str):
            return self.refusal("prompt: a text is needed.", "prompt")
        if not isinstance(fields.get("model"), str):
            return self.refusal("model: a name is needed.", "model")
        if fields["model"] != MODEL:
            return self.error(404, "No such model.", "model")
        n = fields.get("n", 1)
        if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= self.max_n:
            return self.refusal(f"n: 1 to {self.max_n}.", "n")
        if self.pixels(fields.get("size", self.default_size)) is None:
            return self.refusal("size: such as 64x64.", "size")
        if fields.get("response_format", self.formats[0]) not in (*self.formats,):
            return self.refusal("response_format: another.", "response_format")
        return None

    def pixels(self, size: object) -> tuple[int, int] | None:
        match = re.fullmatch(r"([1-9]\d{1,3})x([1-9]\d{1,3})", size) if isinstance(size, str) else None
        return (int(match[1]), int(match[2])) if match else None

    def refusal(self, message: str, param: str | None) -> Reply:
        """What a body that the contract forbids is answered with."""
        return self.error(400, message, param)

    def pay(self, ask: Ask) -> Reply | None:
        broke = ask.key == KEYS["empty_wallet"] and ask.path != "/models"
        return self.error(402, "Your wallet is empty.") if broke else None

    def generate(self, ask: Ask) -> Reply:
        if ask.path == "/models":
            return self.reply(
                {
                    "object": "list",
                    "data": [{"id": MODEL, "object": "model", "created": 1767225600, "owned_by": "some-lab"}],
                }
            )
        fields = ask.fields
        size = self.pixels(fields.get("size", self.default_size))
        assert size is not None
        form = fields.get("response_format", self.formats[0])
        items = [self.item(self.picture(*size), form, ask) for _ in range(fields.get("n", 1))]
        return self.reply(self.success(items, ask))

    # What an answer is made of.

    def picture(self, width: int, height: int) -> bytes:
        return wild_picture.png(width, height)

    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        if form == "b64_json":
            return {"b64_json": base64.b64encode(data).decode()}
        return {"url": self.url(data)}

    def url(self, data: bytes) -> str:
        path = f"/media/{secrets.token_hex(8)}.{self.media_type.partition('/')[2]}"
        self.media[path] = data
        return f"{self.origin}{path}"

    def deliver(self, path: str, ask: Ask) -> Reply:
        data = self.media.get(path)
        if data is None:
            return self.error(404, "No such picture.")
        return Reply(200, data, [("Content-Type", self.media_type)])

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": int(time.time()), "data": items}

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        error: dict[str, Any] = {"message": message, "type": self.slug(status)}
        if self.dialect == "vendor":
            error["code"] = status
        if self.dialect == "openai":
            error |= {"code": None, "param": param}
        return self.reply({"error": error}, status)

    def slug(self, status: int) -> str:
        return SLUGS[status]

    def reply(self, document: Any, status: int = 200) -> Reply:
        return Reply(status, self.encode(document), [("Content-Type", "application/json")])

    def encode(self, document: Any) -> bytes:
        return json.dumps(document).encode()

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        """The headers that every reply has."""
        reply.headers.append(("X-Request-Id", ask.headers.get("x-request-id") or secrets.token_hex(8)))
        reply.headers.append(("Date", formatdate(usegmt=True)))
        return reply

    def frame(self, reply: Reply) -> bytes:
        """The bytes of a reply."""
        if "transfer-encoding" not in {name.lower() for name, _ in reply.headers}:
            reply.headers.append(("Content-Length", str(len(reply.body))))
        return self.head(reply) + reply.body

    def head(self, reply: Reply) -> bytes:
        line = reply.head or f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}".encode()
        return b"\r\n".join([line, *(f"{name}: {value}".encode() for name, value in reply.headers), b"", b""])

    def converse(self, reader: BinaryIO, connection: socket.socket) -> bool:
        """One request and its reply; whether the connection may be used again."""
        self.contacted = True
        ask = read(reader)
        if ask is None:
            return False
        connection.sendall(self.frame(self.answer(ask)))
        return ask.headers.get("connection", "").lower() != "close"


def read(reader: BinaryIO) -> Ask | None:
    """The next request of a connection; None where the client has gone."""
    line = reader.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while (text := reader.readline().decode("latin-1").strip()) != "":
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    return Ask(line[0], line[1], headers, reader.read(int(headers.get("content-length", 0))))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    wild: Wild


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        # A client that hangs up in the middle is no news.
        with contextlib.suppress(ConnectionError, TimeoutError, ValueError):
            while self.server.wild.converse(cast(BinaryIO, self.rfile), self.connection):
                pass


@contextlib.contextmanager
def serving(wild: Wild) -> Iterator[str]:
    """Serve on a free port of loopback; gives the base URL."""
    kind = _Server6 if ":" in wild.host else _Server
    with kind((wild.host if wild.host != "localhost" else "127.0.0.1", 0), _Handler) as server:
        server.wild = wild
        name = f"[{wild.host}]" if ":" in wild.host else wild.host
        wild.origin = f"http://{name}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            thread.join()
            server.server_close()

        wild.stop = stop
        try:
            yield wild.origin + wild.prefix
        finally:
            stop()
