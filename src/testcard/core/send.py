"""The one way to send: budget, keys, request ids, limits, redaction and recording, in this order, here.

httpx is touched in this module only, so that a fork of it could take its place.
"""

from __future__ import annotations

import itertools
import re
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import httpx

from testcard.core.budget import Budget
from testcard.core.errors import UsageError
from testcard.core.exchange import Exchange, Failure, Request, Response
from testcard.core.judgement import Judgement
from testcard.core.limit import Pacer
from testcard.core.mediahost import refusal
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.target import Keyring, Target, header_values
from testcard.core.transcript import (
    MOST_REDIRECTS,
    billed_images,
    decoded,
    echoes,
    media_urls,
    record_of,
    redirect,
    unkeyed,
)
from testcard.core.wire import curl, request_headers

_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_MOST_BYTES = 128 * 1024 * 1024
_MEDIA_PAUSES_S = (0.25, 0.5)
"""A store of pictures that is busy is asked again, at most twice."""


class Sink(Protocol):
    """Where records go: a RunWriter, or a list in tests."""

    def add(self, line: Record, /) -> None: ...


@dataclass(frozen=True, slots=True)
class _Reply:
    """What one HTTP exchange gave, before it is anybody's Exchange."""

    sent_s: float
    at: str
    first_byte_s: float | None
    last_byte_s: float | None
    response: Response | None
    failure: Failure | None


class Sender:
    """Sends requests to one target. Thread-safe.

    Args:
        judge: what to say about each answer; pure.
        sink: where the record of each exchange goes.
        started: the run's zero on `time.monotonic()`.
    """

    def __init__(
        self,
        target: Target,
        keyring: Keyring,
        *,
        judge: Callable[[Exchange], Judgement],
        sink: Sink,
        budget: Budget,
        redactor: Redactor,
        started: float | None = None,
    ) -> None:
        self._target = target
        self._keyring = keyring
        self._judge = judge
        self._sink = sink
        self._redactor = redactor
        self._headers = header_values(target)
        self._secrets = (*keyring.values,)
        self._started = time.monotonic() if started is None else started
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._client = _client(target)
        self._media_client = _client(target)
        self.budget = budget
        self.pacer = Pacer(target.limit, time.monotonic, time.sleep)
        self.requests = 0
        self.media_fetches = 0

    def send(self, request: Request, *, attempt: int = 1) -> Exchange:
        """Send one request, fetch the pictures that its answer names, judge, record.

        No HTTP status is an error here, nor is a failed connection: both are in the Exchange.

        Raises:
            BudgetExhausted: it could bill more than is left; nothing was sent.
        """
        self.budget.reserve(request.images)
        billed = 0
        try:
            if request.key == "main" and request.authorization is None:
                self.pacer.wait()
            exchange = self._exchange(request, attempt)
            billed = billed_images(exchange)
        finally:
            self.budget.settle(request.images, billed)
        judgement = self._judge(exchange)
        self._sink.add(self._record(exchange, judgement, billed))
        return exchange

    def close(self) -> None:
        self._client.close()
        self._media_client.close()

    def _exchange(self, request: Request, attempt: int) -> Exchange:
        with self._lock:
            number = next(self._numbers)
            self.requests += 1
        request_id = str(uuid.uuid4())
        key = self._keyring.get(request.key) if request.key and self._target.auth == "bearer" else None
        headers = request_headers(self._headers, request, key, request_id)
        url = self._target.base_url + request.path
        planned = time.monotonic() - self._started
        reply = self._ask(self._client, request.method, url, headers, request.body)
        exchange = Exchange(
            request=request,
            number=number,
            url=url,
            request_id=request_id,
            sent_headers=self._redactor.headers(headers),
            at=reply.at,
            planned_s=planned,
            sent_s=reply.sent_s,
            first_byte_s=reply.first_byte_s,
            last_byte_s=reply.last_byte_s,
            response=reply.response,
            failure=reply.failure,
            attempt=attempt,
            received_at=time.time(),
            secrets_seen=echoes(reply.response, self._secrets) if reply.response else (),
        )
        urls = media_urls(exchange.response) if exchange.succeeded else ()
        exchange = replace(exchange, media=tuple(self._fetch(url, exchange) for url in urls)) if urls else exchange
        return unkeyed(exchange, self._redactor)

    def _fetch(self, url: str, parent: Exchange) -> Exchange:
        """Fetch a picture, without any key, from a host that may be asked."""
        request = Request(case=f"picture of record {parent.number}", method="GET", path=url, key=None)
        now = time.monotonic() - self._started
        reply = self._follow(url)
        for pause in _MEDIA_PAUSES_S:
            busy = reply.response is not None and reply.response.status in (429, 503)
            if not busy and (reply.failure is None or reply.failure.kind != "closed"):
                break
            time.sleep(pause)
            reply = self._follow(url)
        return Exchange(
            request=request,
            number=parent.number,
            url=url,
            request_id=parent.request_id,
            sent_headers=(),
            at=reply.at,
            planned_s=now,
            sent_s=reply.sent_s,
            first_byte_s=reply.first_byte_s,
            last_byte_s=reply.last_byte_s,
            response=reply.response,
            failure=reply.failure,
        )

    def _follow(self, url: str) -> _Reply:
        """What stands at a picture's URL, or where that leads; each host on the way is one that may be asked."""
        reply = self._get(url)
        for _ in range(MOST_REDIRECTS):
            there = redirect(url, reply.response)
            if there is None:
                break
            url = there
            reply = self._get(url)
        return reply

    def _get(self, url: str) -> _Reply:
        reason = refusal(url, self._target)
        if reason is not None:
            now = time.monotonic() - self._started
            return _Reply(now, _utc_now(), None, None, None, Failure("not-fetched", reason))
        with self._lock:
            self.media_fetches += 1
        headers = [("Accept", "image/*"), ("Accept-Encoding", "identity"), ("User-Agent", "testcard")]
        return self._ask(self._media_client, "GET", url, headers, None)

    def _ask(
        self,
        client: httpx.Client,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | None,
    ) -> _Reply:
        at = _utc_now()
        sent = time.monotonic() - self._started
        first = last = None
        response = None
        failure = None
        chunks: list[bytes] = []
        size = 0
        lines = [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers]
        try:
            with client.stream(method, url, headers=lines, content=body) as answer:
                first = time.monotonic() - self._started
                received = tuple(
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw
                )
                try:
                    for chunk in answer.iter_raw():
                        chunks.append(chunk)
                        size += len(chunk)
                        if time.monotonic() - self._started - sent > self._target.timeout_s:
                            raise httpx.ReadTimeout("the answer took longer than the deadline")
                        if size > _MOST_BYTES:
                            raise httpx.ReadError(f"the answer is longer than {_MOST_BYTES} bytes")
                finally:
                    data, coding_problem = decoded(b"".join(chunks), answer.headers.get("content-encoding", ""))
                    response = Response(answer.status_code, received, data)
            last = time.monotonic() - self._started
            if coding_problem:
                failure = Failure("framing", coding_problem)
        except httpx.LocalProtocolError as error:
            raise UsageError(f"a header of the target cannot be sent: {self._redactor.text(str(error))}") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            failure = self._failure(error)
        return _Reply(sent, at, first, last, response, failure)

    def _failure(self, error: Exception) -> Failure:
        message = _ERRNO.sub("", self._redactor.text(str(error))) or type(error).__name__
        match error:
            case httpx.TimeoutException():
                return Failure("timeout", f"no complete answer within {self._target.timeout_s:g} s")
            case httpx.ConnectError() if "CERTIFICATE" in message.upper() or "SSL" in message.upper():
                return Failure("tls", message)
            case httpx.ConnectError():
                return Failure("connect", message)
            case httpx.RemoteProtocolError() if "disconnected without" not in message:
                return Failure("framing", message)
        return Failure("closed", message)

    def _record(self, exchange: Exchange, judgement: Judgement, billed: int) -> Record:
        return record_of(
            exchange,
            judgement,
            redactor=self._redactor,
            phase="check",
            billed=billed,
            reproduce=curl(exchange.request, self._target, self._keyring),
        )


def _client(target: Target) -> httpx.Client:
    """A client that follows no redirect and, on loopback, asks the environment for nothing."""
    verify: ssl.SSLContext | bool = True
    if target.ca_file is not None:
        try:
            verify = ssl.create_default_context(cafile=target.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"ca_file {target.ca_file} holds no certificates: {error}") from error
    return httpx.Client(
        verify=verify,
        timeout=httpx.Timeout(target.timeout_s, connect=min(10.0, target.timeout_s)),
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=4.0),
        follow_redirects=False,
        trust_env=not target.on_loopback,
    )


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
