"""A server of raw bytes on loopback: what a test says is what goes over the wire."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from testcard.core.exchange import Exchange, Request
from testcard.core.judgement import Judgement
from testcard.core.record import Record
from testcard.core.target import Target


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


Answer = Callable[[Received], bytes | Iterable[bytes | float]]
"""The bytes to send; in an iterable a number is a pause in seconds. The connection closes afterwards."""


@dataclass
class Scripted:
    """A running server, and what came to it."""

    port: int
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


def reply(status: int = 200, body: bytes | object = b"", *headers: tuple[str, str], reason: str = "X") -> bytes:
    """A whole HTTP/1.1 message; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.lower() for name, _ in headers}
    lines = [f"HTTP/1.1 {status} {reason}", "Connection: close"]
    if not isinstance(body, bytes) and "content-type" not in names:
        lines.append("Content-Type: application/json")
    if "content-length" not in names and "transfer-encoding" not in names:
        lines.append(f"Content-Length: {len(data)}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


@contextmanager
def scripted(answer: Answer) -> Iterator[Scripted]:
    """Serve `answer` for as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        server = Scripted(listener.getsockname()[1])
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                server.connections += 1
                threading.Thread(target=_serve, args=(connection, server, answer, ended), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            ended.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(connection: socket.socket, server: Scripted, answer: Answer, ended: threading.Event) -> None:
    with connection, suppress(OSError):
        request = _read(connection)
        if request is None:
            return
        server.received.append(request)
        out = answer(request)
        for part in (out,) if isinstance(out, bytes) else out:
            if isinstance(part, float):
                ended.wait(part)
            else:
                connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)


def _read(connection: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    received = Received(method, path, headers, b"")
    length = int(received.header("content-length") or 0)
    while len(body) < length:
        body += connection.recv(65536)
    return Received(method, path, headers, body)


class Shelf:
    """Keeps records where a run would write them, for `Sender(sink=…)`."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, line: Record, /) -> None:
        self.records.append(line)


def silent(_: Exchange) -> Judgement:
    """Judges nothing."""
    return Judgement()


def aim(base_url: str, **fields: object) -> Target:
    """A target on loopback that nobody described further."""
    return Target(base_url, **{"timeout_s": 10.0, **fields})  # type: ignore[arg-type]  # the fields of Target


def ask(body: bytes | None = b'{"prompt": "a lighthouse"}', **changes: object) -> Request:
    """A good request."""
    return Request("a lighthouse", **{"body": body, "images": 1, **changes})  # type: ignore[arg-type]  # of Request


def until(condition: Callable[[], object], *, at_most_s: float = 30.0) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + at_most_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)
