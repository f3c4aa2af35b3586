"""HTTP exchanges on the event loop, with their stamps.

geventhttpclient gives the sockets, TLS and the parser (pool.py, answer.py). Its client is not used: it measures
nothing, and what it would add (redirects, retries, cookies) a measurement must not have.

Nobody waits for an answer: who asks says what is to be done when it is complete. Only where a connection has to be
made, or a request does not fit into what the system takes at once, a greenlet does the waiting.

Stamps are absolute seconds of `time.monotonic()`, taken before anything is parsed or decoded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import gevent
from gevent import ssl

from testcard.core.exchange import CANCELLED, Failure
from testcard.core.transcript import MOST_BYTES, decoded
from testcard.load.arena import Arena, Lease
from testcard.load.message import head
from testcard.load.reply import Reply
from testcard.load.worker.answer import Answer, HTTPParseError
from testcard.load.worker.pool import Connection, Pool

_BLOCK = 64 * 1024  # larger ones are new memory from the system each time
_EXCESS = 16
_MOST_HEAD_BYTES = 1024 * 1024
_SOON_S = 0.001
_WAIT, _MORE, _OVER = range(3)
REPLACED = Failure(CANCELLED, "a newer prompt replaced it")


class Connections:
    """Connections to any number of hosts.

    Args:
        timeout_s: for a whole exchange.
        ca_file: certificates to trust in place of the system's.
        arena: takes the bodies of long answers.
    """

    def __init__(self, *, timeout_s: float, ca_file: str | None, arena: Arena) -> None:
        self.timeout_s = timeout_s
        self.arena = arena
        self._ca_file = ca_file
        self._pools: dict[tuple[str, str], Pool] = {}
        self._last: tuple[str, Pool] | None = None
        self._deadlines: dict[Asking, float] = {}
        """Of all that is under way; ascending, since each has the same time."""
        self._alarm = gevent.get_hub().loop.timer(timeout_s)
        self._watching = False

    def ask(self, method: str, url: str, headers: list[tuple[str, str]], done: Callable[[Reply], None]) -> Asking:
        """One request without a body. Whatever goes wrong is in the Reply; nothing is sent twice."""
        try:
            message = head(method, url, headers) + b"\r\n"
        except (ValueError, UnicodeError) as error:
            return self._unasked(url, error, done)
        return self.exchange(url, message, done)

    def exchange(self, url: str, message: bytes, done: Callable[[Reply], None]) -> Asking:
        """The same for a message that is complete.

        Args:
            done: called when it is over; it may be so at once.
        """
        try:
            pool = self._pool(url)
        except (ValueError, UnicodeError) as error:
            return self._unasked(url, error, done)
        asking = Asking(self, done)
        if not self._watching:
            self._watch(self.timeout_s)
        self._deadlines[asking] = asking.sent + self.timeout_s
        asking.begin(pool, message)
        return asking

    def over(self, asking: Asking) -> None:
        """Wait for that one no more."""
        self._deadlines.pop(asking, None)

    def _watch(self, seconds: float) -> None:
        self._watching = True
        self._alarm.close()
        self._alarm = gevent.get_hub().loop.timer(seconds)  # a used one would keep its old time
        self._alarm.start(self._expire, update=True)

    def _expire(self) -> None:
        now = time.monotonic()
        for asking in [asking for asking, deadline in self._deadlines.items() if deadline <= now]:
            asking.end(Failure("timeout", f"no complete answer within {self.timeout_s:g} s"))
        self._watching = False
        if self._deadlines:
            self._watch(max(_SOON_S, next(iter(self._deadlines.values())) - now))

    def _pool(self, url: str) -> Pool:
        if self._last is not None and self._last[0] == url:
            return self._last[1]
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        if key not in self._pools:
            self._pools[key] = Pool(url, self.timeout_s, self._ca_file)
        self._last = url, self._pools[key]
        return self._pools[key]

    def _unasked(self, url: str, error: Exception, done: Callable[[Reply], None]) -> Asking:
        asking = Asking(self, done)
        asking.end(Failure("connect", f"{url!r} cannot be asked: {error}"))
        return asking


class Asking:
    """An exchange while it goes on; what is known of it stands when the deadline strikes."""

    __slots__ = (
        "_answer", "_arena", "_connection", "_connections", "_done", "_failure", "_first_byte", "_have", "_last_byte",
        "_lease", "_length", "_place", "_waiting", "ended", "sent",
    )  # fmt: skip

    def __init__(self, connections: Connections, done: Callable[[Reply], None]) -> None:
        self.sent = time.monotonic()
        self.ended = False
        self._connections = connections
        self._arena = connections.arena
        self._done: Callable[[Reply], None] | None = done
        self._connection: Connection | None = None
        self._waiting: gevent.Greenlet | None = None
        self._answer = Answer()
        self._first_byte: float | None = None
        self._last_byte: float | None = None
        self._failure: Failure | None = None
        self._lease: Lease | None = None
        self._place: memoryview | None = None
        """Where a body of known length is received, past the parser, which would copy it."""
        self._length = self._have = 0
        """Of the body, and of what came: of the body where that has a place, else of the answer."""

    def begin(self, pool: Pool, message: bytes) -> None:
        """Send the request, on a connection that is there or on a new one."""
        connection = pool.take()
        if connection is None:
            self._waiting = gevent.spawn(self._connect, pool, message)
        else:
            self._send(connection, message)

    def cancel(self) -> None:
        """End it: nobody wants the answer any more."""
        self.end(REPLACED)

    def end(self, failure: Failure | None) -> None:
        """Let go of the connection, and tell what is known."""
        if self.ended:
            return
        self.ended, self._failure = True, failure
        self._connections.over(self)
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting is not gevent.getcurrent():
            waiting.kill(block=False)
        connection, self._connection = self._connection, None
        if connection is not None:
            whole = self._last_byte is not None and failure is None
            if whole and self._answer.should_keep_alive() and not self._answer.parser_failed():
                connection.rest()
            else:
                connection.close()
        done, self._done = self._done, None
        if done is not None:
            done(self._reply())

    # Sending.

    def _connect(self, pool: Pool, message: bytes) -> None:
        try:
            connection = pool.connect()
        except ssl.SSLError as error:
            self.end(Failure("tls", str(error)))
        except TimeoutError:
            self.end(Failure("timeout", f"no connection within {pool.connect_s:g} s"))
        except (OSError, RuntimeError, ValueError) as error:
            self.end(Failure("connect", str(error)))
        else:
            self._waiting = None
            if self.ended:  # in the turn of the loop in which the connection was made
                connection.close()
            else:
                self._send(connection, message)

    def _send(self, connection: Connection, message: bytes) -> None:
        self._connection = connection
        try:
            sent = connection.send(message)
        except OSError as error:
            self.end(Failure("closed", str(error)))
            return
        if sent < len(message):
            self._waiting = gevent.spawn(self._send_rest, connection, message[sent:])
        else:
            connection.listen(self._read)

    def _send_rest(self, connection: Connection, rest: bytes) -> None:
        try:
            connection.send_all(rest)
        except OSError as error:
            self.end(Failure("closed", str(error)))
            return
        self._waiting = None
        connection.listen(self._read)

    # Receiving: called whenever there is something to read.

    def _read(self) -> None:
        connection, state = self._connection, _MORE
        if connection is None:
            return
        try:
            while state == _MORE:
                state = self._feed(connection) if self._place is None else self._fill(connection, self._place)
        except HTTPParseError as error:
            state, self._failure = _OVER, Failure("framing", str(error.args[0]))  # behind it the parser's own number
        except OSError as error:
            state, self._failure = _OVER, Failure("closed", str(error))
        if state == _OVER:
            self.end(self._failure)

    def _feed(self, connection: Connection) -> int:
        """Take what there is."""
        data = connection.receive(_BLOCK)
        if data is None:
            return _WAIT
        now = time.monotonic()
        answer = self._answer
        self._have += len(data)
        try:
            answer.feed(data)
        finally:  # also where something is wrong behind the header lines
            if answer.headed and self._first_byte is None:
                self._first_byte = now
        if answer.complete:
            self._last_byte = now
            return _OVER
        if not data:
            self._failure = Failure("closed", "connection closed.")
            return _OVER
        if self._have > _MOST_HEAD_BYTES and not answer.headed:
            self._failure = Failure("framing", f"the header lines are longer than {_MOST_HEAD_BYTES} bytes")
            return _OVER
        if self._have > MOST_BYTES:
            self._failure = Failure("closed", f"the answer is longer than {MOST_BYTES} bytes")
            return _OVER
        if answer.headed and not self._length:
            self._choose_place(answer)
        return _MORE if connection.secure or len(data) == _BLOCK else _WAIT

    def _choose_place(self, answer: Answer) -> None:
        """Where a long body of known length is received to."""
        self._length = answer.plain_length or -1
        self._lease = self._arena.take(self._length + _EXCESS)
        if self._lease is None:
            return
        beginning = b"".join(answer.chunks)
        answer.chunks.clear()
        self._place = self._arena.view(self._lease)
        self._place[: len(beginning)] = beginning
        self._have = len(beginning)

    def _fill(self, connection: Connection, place: memoryview) -> int:
        """The same to its place."""
        length = self._length
        received = connection.receive_into(place[self._have : length + _EXCESS])
        if received is None:
            return _WAIT
        if received == 0:
            told = f"the connection closed after {self._have} of {length} bytes of the body"
            self._failure = Failure("framing", told)
            return _OVER
        self._have += received
        if self._have < length:
            return _MORE if connection.secure else _WAIT
        self._last_byte = time.monotonic()
        if bytes(place[length : self._have]).strip(b"\r\n"):  # an empty line too many is forgiven (RFC 9112, 2.2)
            told = f"{self._have - length} bytes or more follow the body of {length} bytes"
            self._failure = Failure("framing", told)
        return _OVER

    def _reply(self) -> Reply:
        answer, lease, failure = self._answer, self._lease, self._failure
        if self._first_byte is None:
            return Reply(self.sent, failure=failure)
        status, headers = answer.get_code(), answer.headers
        if lease is not None and failure is None:
            return Reply(
                self.sent, self._first_byte, self._last_byte, status, headers, b"", None, lease, self._length
            )  # fmt: skip
        if lease is not None and self._place is not None:
            answer.chunks = [bytes(self._place[: self._have])]  # a part of it is not worth a place
            self._arena.give_back(lease)
        body = b"".join(answer.chunks)
        if coding := answer.content_coding:
            body, problem = decoded(body, coding)
            failure = failure or (Failure("framing", problem) if problem else None)
        return Reply(self.sent, self._first_byte, self._last_byte, status, headers, body, failure, None, len(body))
