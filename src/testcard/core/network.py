"""The network under the HTTP client: a deadline for the whole exchange, checked addresses, every byte that came.

httpx's timeouts are per read, so a server that drips a byte now and then runs into none of them; and what follows
the end of an answer is thrown away unseen. httpcore reads from whatever network it is given, and this is ours.

Rule 1: an exchange runs in one thread from its first byte to its last; what belongs to it is kept by thread.
Rule 2: nothing here knows a request, a record or a key.
"""

from __future__ import annotations

import contextlib
import re
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import h11
import httpcore

_PIECE_BYTES = 64 * 1024
_HEAD_END = re.compile(rb"\n\r?\n")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LOOPBACK = ("::1", "127.0.0.1")
"""Where names under `localhost` lead, whether or not the system's resolver knows it (RFC 6761, section 6.3)."""
_PATIENCE_S = 1.0
"""How long a new connection waits for its first byte before no other is kept unused: some servers have few threads, one
for each connection, and serve nobody else until it closes."""
_LINGER_S = 0.005
"""How long the connection is watched after an answer: what follows its end is usually there at once."""


@dataclass(slots=True)
class Watch:
    """What belongs to one exchange."""

    deadline: float
    """On `time.monotonic()`: the answer has to be complete."""
    addresses: tuple[str, ...] = ()
    """Where to connect, whatever the host's name resolves to by now; empty: wherever it does."""
    received: list[bytes] = field(default_factory=list)
    """Every byte that came, in the pieces in which it was read."""
    complete_at: float | None = None
    """On `time.monotonic()`: when the answer's last byte was there."""
    excess: bytes = b""
    """What followed the end of the answer, empty lines apart."""

    def left(self, timeout: float | None, late: type[httpcore.TimeoutException]) -> float:
        """Seconds for the next step.

        Raises:
            TimeoutException: there are none.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise late("the exchange took longer than its deadline")
        return left if timeout is None else min(left, timeout)


class Network(httpcore.NetworkBackend):
    """Connects and reads for every exchange that it is told of by `exchange`."""

    def __init__(self) -> None:
        self._system = httpcore.SyncBackend()
        self._here = threading.local()
        self._lock = threading.Lock()
        self._idle: set[Stream] = set()
        self._starving = 0

    def used(self, stream: Stream) -> None:
        """It is in use, or closed."""
        with self._lock:
            self._idle.discard(stream)

    def unused(self, stream: Stream) -> bool:
        """Its answer is complete; whether it may be kept for the next request."""
        with self._lock:
            if not self._starving:
                self._idle.add(stream)
            return not self._starving

    @contextlib.contextmanager
    def starving(self) -> Iterator[None]:
        """A new connection gets no answer until the block ends: meanwhile none is kept that nobody uses."""
        with self._lock:
            self._starving += 1
            unused, self._idle = self._idle, set()
        for stream in unused:
            stream.close()
        try:
            yield
        finally:
            with self._lock:
                self._starving -= 1

    @contextlib.contextmanager
    def exchange(self, deadline: float, addresses: tuple[str, ...] = ()) -> Iterator[Watch]:
        """Watch what this thread does on the network until the block ends."""
        self._here.watch = Watch(deadline, addresses)
        try:
            yield self._here.watch
        finally:
            self._here.watch = None

    @property
    def watch(self) -> Watch:
        watch: Watch = self._here.watch
        return watch

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        *others, last = self.watch.addresses or (_LOOPBACK if host.endswith(".localhost") else (host,))
        for address in others:
            with contextlib.suppress(httpcore.ConnectError):
                return self._connect(address, port, timeout, local_address, socket_options)
        return self._connect(last, port, timeout, local_address, socket_options)

    def _connect(
        self, host: str, port: int, timeout: float | None, local: str | None, options: Iterable[Any] | None
    ) -> Stream:
        left = self.watch.left(timeout, httpcore.ConnectTimeout)
        return Stream(self, self._system.connect_tcp(host, port, left, local, options))


class Stream(httpcore.NetworkStream):
    """One connection. Whoever uses it has its own watch."""

    def __init__(self, network: Network, inner: httpcore.NetworkStream) -> None:
        self._network = network
        self._inner = inner
        self._new = True

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        watch = self._network.watch
        left = watch.left(timeout, httpcore.ReadTimeout)
        if self._new and left > _PATIENCE_S:
            try:
                data = self._inner.read(max_bytes, _PATIENCE_S)
            except httpcore.ReadTimeout:
                with self._network.starving():
                    data = self._inner.read(max_bytes, watch.left(timeout, httpcore.ReadTimeout))
        else:
            data = self._inner.read(max_bytes, left)
        self._new = False
        watch.received.append(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._network.used(self)
        for start in range(0, len(buffer), _PIECE_BYTES):
            left = self._network.watch.left(timeout, httpcore.WriteTimeout)
            self._inner.write(buffer[start : start + _PIECE_BYTES], left)

    def end(self, method: str) -> None:
        """The answer to a request with that method is complete: note when, and look whether anything follows it."""
        watch = self._network.watch
        watch.complete_at = time.monotonic()
        with contextlib.suppress(httpcore.ReadTimeout, httpcore.ReadError):  # as it should be: quiet, or closed
            watch.received.append(self._inner.read(_PIECE_BYTES, _LINGER_S))
        rest = excess(method, watch.received)
        watch.excess = rest.lstrip(b"\r\n")
        # The next answer on it could begin anywhere, behind an empty line too.
        if rest or not self._network.unused(self):
            self.close()

    def close(self) -> None:
        self._network.used(self)
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._network.watch.left(timeout, httpcore.ConnectTimeout)
        self._network.watch.received.clear()  # what a proxy said before is no part of the answer
        return Stream(self._network, self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def has_bare_lf(received: Iterable[bytes]) -> bool:
    """Whether a line of the head ends in LF without CR, which h11 and curl forgive and Node does not.

    Args:
        received: the bytes of an answer, from its first on.
    """
    data = b"".join(received)
    head = _HEAD_END.search(data)
    return head is not None and _BARE_LF.search(data, 0, head.end()) is not None


def excess(method: str, received: Iterable[bytes]) -> bytes:
    """What follows the end of an answer.

    A client must not take it for an answer to anything (RFC 9112, section 9.2), so nobody ever sees it: the rest
    of a body that is longer than its Content-Length, or a second answer.

    Args:
        received: the bytes of one whole answer to a request with that method, and whatever came after it.
    """
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(b"".join(received))
    while True:
        try:
            event = reader.next_event()
        except h11.RemoteProtocolError:
            return b""  # no whole answer was seen here: of what follows it there is nothing to say
        match event:
            case h11.EndOfMessage():
                return reader.trailing_data[0]
            case h11.NEED_DATA | h11.PAUSED | h11.ConnectionClosed():
                return b""
