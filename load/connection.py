"""One HTTP exchange on gevent sockets, with its stamps. Only locustfile.py and what only it imports may import this.

geventhttpclient gives the sockets, TLS and the parser. Its client is not used: it measures nothing, and what it
would add (redirects, retries, cookies) a measurement must not have.

Stamps are absolute seconds of `time.monotonic()`, taken before anything is parsed or decoded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from select import POLLIN
from typing import Any
from urllib.parse import quote, urlsplit

import gevent
from gevent import ssl
from gevent.monkey import get_original
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketPoolResponse

from testcard.core.exchange import CANCELLED, Failure, Response
from testcard.core.transcript import decoded
from testcard.core.trust import authorities
from testcard.load.arena import Arena, Lease

_BLOCK = 64 * 1024  # larger ones are new memory from the system each time
_EXCESS = 16
_MOST_BYTES = 128 * 1024 * 1024
_CONNECT_S = 10.0
_RESOLVED_S = 60.0  # a name is looked up again after that, as clients do
_IDLE_S = 4.0  # servers close idle connections, usually after 5 s or more; a request must not meet that
REPLACED = Failure(CANCELLED, "a newer prompt replaced it")
_SAFE = "/%:=&?~#+!$,;'@()*[]"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and when."""

    sent: float
    first_byte: float | None = None
    """When the headers were complete."""
    last_byte: float | None = None
    response: Response | None = None
    """Without its body where that has a place in the arena."""
    failure: Failure | None = None
    lease: Lease | None = None
    size_bytes: int = 0
    """Of the body."""


_poll = get_original("select", "poll")


class Replaced(BaseException):
    """Thrown into whoever waits for an answer that nobody wants any more."""


class _Fresh:
    """Keeps idle connections, and leaves out those that have been idle for so long that the server may be about to
    close them. Needs no queue: there are as many connections as requests.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._idle: list[tuple[float, Any]] = []
        self._resolved: tuple[float, Any] = (-_RESOLVED_S, None)
        super().__init__(*args, **kwargs)

    def get_socket(self) -> Any:
        while self._idle:
            since, sock = self._idle.pop()
            if time.monotonic() - since < _IDLE_S and not _readable(sock):
                return sock
            sock.close()
        sock = self._create_socket()  # type: ignore[attr-defined]  # of the pool that this is mixed into
        sock.settimeout(None)  # the deadline of the whole exchange holds
        return sock

    def _resolve(self) -> Any:
        since, addresses = self._resolved
        if time.monotonic() - since >= _RESOLVED_S:
            addresses = super()._resolve()  # type: ignore[misc]  # of the pool that this is mixed into
            self._resolved = time.monotonic(), addresses
        return addresses

    def return_socket(self, sock: Any) -> None:
        self._idle.append((time.monotonic(), sock))

    def release_socket(self, sock: Any) -> None:
        sock.close()


def _readable(sock: Any) -> bool:
    """Whether there is something to read where nothing should be: an end, or what belongs to no answer."""
    poll = _poll()
    poll.register(sock.fileno(), POLLIN)
    return bool(poll.poll(0))


class _Pool(_Fresh, ConnectionPool):
    pass


class _TlsPool(_Fresh, SSLConnectionPool):
    pass


class _Answer(HTTPSocketPoolResponse):
    """Keeps the body as it was received, so that nothing is copied before the stamp."""

    def __init__(self, sock: Any, pool: ConnectionPool, method: str) -> None:
        self.chunks: list[bytes | bytearray] = []
        self.size_bytes = 0
        super().__init__(sock, pool, block_size=_BLOCK, method=method)

    def _on_body(self, buf: bytearray) -> None:
        self.chunks.append(buf)
        self.size_bytes += len(buf)

    @property
    def plain_length(self) -> int | None:
        """How long the body is, where Content-Length alone says so and the bytes are those of the body (RFC 9112,
        section 6.3). The parser has refused contradictions by then.
        """
        plain = "transfer-encoding" not in self and "content-encoding" not in self
        length = self.get("content-length")
        return int(length) if plain and isinstance(length, str) and length.isdecimal() else None

    def finish(self) -> None:
        """The body came by another way than the parser, and is complete: the connection is free again."""
        self.message_complete = True
        self.release()


class Connections:
    """Connections to any number of hosts.

    Args:
        most: connections to each host; no fewer than requests under way at once, or one would wait for another.
        timeout_s: for a whole exchange.
        ca_file: certificates to trust in place of the system's.
        arena: takes the bodies of long answers.
    """

    def __init__(self, *, most: int, timeout_s: float, ca_file: str | None, arena: Arena) -> None:
        self._most = most
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._arena = arena
        self._pools: dict[tuple[str, str], ConnectionPool] = {}

    def ask(self, method: str, url: str, headers: list[tuple[str, str]]) -> Reply:
        """One request without a body, and its answer. Whatever goes wrong is in the Reply; nothing is sent twice."""
        try:
            message = head(method, url, headers) + b"\r\n"
        except (ValueError, UnicodeError) as error:
            return _unasked(url, error)
        return self.exchange(method, url, message)

    def exchange(self, method: str, url: str, message: bytes) -> Reply:
        """The same for a message that is complete."""
        try:
            pool = self._pool(url)
        except (ValueError, UnicodeError) as error:
            return _unasked(url, error)
        partial = _Partial(time.monotonic(), self._arena)
        try:
            with gevent.Timeout(self._timeout_s) as deadline:
                partial.receive(pool, method, message)
        except gevent.Timeout as expired:
            if expired is not deadline:
                raise
            partial.failure = Failure("timeout", f"no complete answer within {self._timeout_s:g} s")
        except Replaced:
            partial.failure = REPLACED
        return partial.reply()

    def _pool(self, url: str) -> ConnectionPool:
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        if key not in self._pools:
            host = parts.hostname or ""
            port = parts.port or (443 if parts.scheme == "https" else 80)
            options: dict[str, Any] = {
                "size": self._most,
                "connection_timeout": min(_CONNECT_S, self._timeout_s),
                "network_timeout": self._timeout_s + 1.0,  # the deadline of the whole comes first
            }
            if parts.scheme == "https":
                self._pools[key] = _TlsPool(host, port, host, port, ssl_context_factory=self._trust, **options)
            else:
                self._pools[key] = _Pool(host, port, host, port, **options)
        return self._pools[key]

    def _trust(self, cafile: object) -> ssl.SSLContext:  # noqa: ARG002  (the pool's own choice)
        return ssl.create_default_context(cafile=authorities(self._ca_file))


class _Partial:
    """An exchange while it goes on; what is known of it stands when the deadline strikes."""

    def __init__(self, sent: float, arena: Arena) -> None:
        self.sent = sent
        self._arena = arena
        self._lease: Lease | None = None
        self.first_byte: float | None = None
        self.last_byte: float | None = None
        self.failure: Failure | None = None
        self._answer: _Answer | None = None

    def receive(self, pool: ConnectionPool, method: str, data: bytes) -> None:
        """Send and receive, and note what failed."""
        try:
            sock = pool.get_socket()
        except ssl.SSLError as error:
            self.failure = Failure("tls", str(error))
            return
        except TimeoutError:
            self.failure = Failure("timeout", f"no connection within {pool.connection_timeout:g} s")
            return
        except (OSError, RuntimeError) as error:
            self.failure = Failure("connect", str(error))
            return
        try:
            sock.sendall(data)
        except BaseException as error:
            pool.release_socket(sock)
            if not isinstance(error, OSError):
                raise
            self.failure = Failure("closed", str(error))
            return
        try:
            self._read(_Answer(sock, pool, method), sock)
        except HTTPConnectionClosed as error:
            self.failure = Failure("closed", str(error))
        except HTTPParseError as error:
            self.failure = Failure("framing", str(error))
        except OSError as error:
            self.failure = Failure("closed", str(error))

    def _read(self, answer: _Answer, sock: Any) -> None:
        self.first_byte = time.monotonic()
        self._answer = answer
        length = answer.plain_length
        if length is not None and not answer.message_complete and answer.size_bytes < length:
            self._lease = self._arena.take(length + _EXCESS)
        if self._lease is not None and length is not None:
            self._read_plain(answer, sock, self._arena.view(self._lease), length)
            return
        while not answer.message_complete:
            answer.feed(sock.recv(_BLOCK))
            if answer.size_bytes > _MOST_BYTES:
                self.failure = Failure("closed", f"the answer is longer than {_MOST_BYTES} bytes")
                return
        self.last_byte = time.monotonic()

    def _read_plain(self, answer: _Answer, sock: Any, place: memoryview, length: int) -> None:
        """Receive a body of known length to where it is judged, past the parser, which would copy it."""
        beginning = b"".join(answer.chunks)
        place[: len(beginning)] = beginning
        answer.chunks.clear()
        have = len(beginning)
        while have < length:
            received = sock.recv_into(place[have : length + _EXCESS])
            if received == 0:
                self.failure = Failure("framing", f"the connection closed after {have} of {length} bytes of the body")
                break
            have += received
            answer.size_bytes = have
        else:
            self.last_byte = time.monotonic()
            if bytes(place[length:have]).strip(b"\r\n"):  # an empty line too many is forgiven (RFC 9112, section 2.2)
                self.failure = Failure("framing", f"{have - length} bytes or more follow the body of {length} bytes")
            else:
                answer.finish()

    def reply(self) -> Reply:
        answer, lease = self._answer, self._lease
        if answer is None:
            return Reply(self.sent, failure=self.failure)
        headers = tuple(answer.headers)
        failure = self.failure
        if lease is not None and (failure is not None or self.last_byte is None):
            answer.chunks = [bytes(self._arena.view(lease)[: answer.size_bytes])]  # a part of it is not worth a place
            self._arena.give_back(lease)
            lease = None
        answer.release()
        if lease is not None:
            response = Response(answer.get_code(), headers, b"")
            return Reply(self.sent, self.first_byte, self.last_byte, response, None, lease, answer.size_bytes)
        coding = ", ".join(value for name, value in headers if name.lower() == "content-encoding")
        body, problem = decoded(b"".join(answer.chunks), coding)
        failure = failure or (Failure("framing", problem) if problem else None)
        response = Response(answer.get_code(), headers, body)
        return Reply(self.sent, self.first_byte, self.last_byte, response, failure, None, len(body))


def _unasked(url: str, error: Exception) -> Reply:
    return Reply(time.monotonic(), failure=Failure("connect", f"{url!r} cannot be asked: {error}"))


def head(method: str, url: str, headers: list[tuple[str, str]]) -> bytes:
    """The lines in front of a request's body, but for its length and the empty line.

    Raises:
        ValueError: such lines cannot be sent.
    """
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds a line break")
    return "\r\n".join([*lines, ""]).encode("latin-1", "replace")
