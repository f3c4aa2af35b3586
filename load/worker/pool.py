"""Connections that are kept for the next request.

geventhttpclient makes the sockets, TLS included. Whoever waits for an answer is called when there is something to
read: no greenlet stands waiting, and the event loop is told of a connection once, not once for each request.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from select import POLLIN
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent import ssl
from gevent.monkey import get_original
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool

from testcard.core.trust import authorities

_CONNECT_S = 10.0
_RESOLVED_S = 60.0  # a name is looked up again after that, as clients do
_IDLE_S = 4.0  # servers close idle connections, usually after 5 s or more; a request must not meet that
_READ = 1
_SSL_WAITS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
_poll = get_original("select", "poll")


class Connection:
    """A connection, and who is called when there is something to read."""

    def __init__(self, sock: Any, pool: Pool) -> None:
        self._sock = sock
        self._pool = pool
        self._reader: Callable[[], None] | None = None
        self._since = 0.0
        self.secure = isinstance(sock, ssl.SSLSocket)
        sock.settimeout(0.0)  # whoever is called finds something, or nothing
        self._readable = _poll()
        self._readable.register(sock.fileno(), POLLIN)
        self._watcher = gevent.get_hub().loop.io(sock.fileno(), _READ)

    def listen(self, reader: Callable[[], None]) -> None:
        """Call that one whenever there is something to read, until rest() or close()."""
        self._reader = reader
        if not self._watcher.active:
            self._watcher.start(self._ring)

    def _ring(self) -> None:
        if self._reader is None:
            self.close()  # its end, or what belongs to no answer
        else:
            self._reader()

    def send(self, data: bytes) -> int:
        """Send what can be sent at once; returns how much that was.

        Raises:
            OSError: the connection is broken.
        """
        try:
            sent: int = self._sock.send(data)
        except (BlockingIOError, *_SSL_WAITS):
            return 0
        return sent

    def send_all(self, data: bytes) -> None:
        """Send it, however long that takes. Waits: only for a greenlet.

        Raises:
            OSError: the connection is broken.
        """
        self._watcher.stop()  # what comes meanwhile is read after it
        self._sock.settimeout(None)
        rest = memoryview(data)
        while rest:  # not sendall(), which cuts it up: TLS takes again only what it was given before
            rest = rest[self._sock.send(rest) :]
        self._sock.settimeout(0.0)

    def receive(self, most: int) -> bytes | None:
        """What has come; b"" at the connection's end, None if there is nothing.

        Raises:
            OSError: the connection is broken.
        """
        try:
            data: bytes = self._sock.recv(most)
        except (BlockingIOError, *_SSL_WAITS):
            return None
        return data

    def receive_into(self, place: memoryview) -> int | None:
        """The same to where it belongs; returns how much came."""
        try:
            size: int = self._sock.recv_into(place)
        except (BlockingIOError, *_SSL_WAITS):
            return None
        return size

    def rest(self) -> None:
        """Keep it for the next request."""
        self._reader = None
        self._since = time.monotonic()
        self._pool.idle.append(self)

    def fresh(self) -> bool:
        """Whether a request may take it: not idle for long, and with nothing to read where nothing should be."""
        return time.monotonic() - self._since < _IDLE_S and not self._readable.poll(0)

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        self._sock.close()
        if self in self._pool.idle:
            self._pool.idle.remove(self)


class Pool:
    """The connections to one host. As many as there are requests under way: none waits for another.

    Args:
        url: one of the host's.
        timeout_s: for an exchange.
        ca_file: certificates to trust in place of the system's.

    Raises:
        ValueError: there is no such host.
    """

    def __init__(self, url: str, timeout_s: float, ca_file: str | None) -> None:
        self.idle: list[Connection] = []
        self.connect_s = min(_CONNECT_S, timeout_s)
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        options: dict[str, Any] = {"connection_timeout": self.connect_s}
        if secure:
            options["ssl_context_factory"] = _trusting(ca_file)
        self._sockets = (_TlsSockets if secure else _Sockets)(host, port, host, port, **options)

    def take(self) -> Connection | None:
        """One that is idle, or None."""
        while self.idle:
            connection = self.idle.pop()
            if connection.fresh():
                return connection
            connection.close()
        return None

    def connect(self) -> Connection:
        """A new one. Waits: only for a greenlet.

        Raises:
            OSError: there is none.
            RuntimeError: the name has no address.
        """
        return Connection(self._sockets.make(), self)


def _trusting(ca_file: str | None) -> Callable[[object], ssl.SSLContext]:
    def context(cafile: object) -> ssl.SSLContext:  # noqa: ARG001  (the pool's own choice)
        return ssl.create_default_context(cafile=authorities(ca_file))

    return context


class _Resolved:
    """Makes sockets, and looks the name up once a minute."""

    _known: tuple[float, Any] = (-_RESOLVED_S, None)

    def make(self) -> Any:
        return self._create_socket()  # type: ignore[attr-defined]  # of the pool that this is mixed into

    def _resolve(self) -> Any:
        since, addresses = self._known
        if time.monotonic() - since >= _RESOLVED_S:
            addresses = super()._resolve()  # type: ignore[misc]  # of the pool that this is mixed into
            self._known = time.monotonic(), addresses
        return addresses


class _Sockets(_Resolved, ConnectionPool):
    pass


class _TlsSockets(_Resolved, SSLConnectionPool):
    pass
