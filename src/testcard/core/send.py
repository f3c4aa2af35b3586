"""The one way to send: budget, keys, request ids, limits, redaction and recording, in this order, here.

The exchange itself is client.py's.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from testcard.core.budget import Budget
from testcard.core.client import Client, Reply, utc_now
from testcard.core.exchange import Exchange, Failure, Request
from testcard.core.judgement import Judgement
from testcard.core.limit import Pacer
from testcard.core.mediahost import addresses
from testcard.core.network import Network
from testcard.core.presentation import PRESENTATIONS
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.target import Keyring, Target, header_values
from testcard.core.transcript import (
    MOST_REDIRECTS,
    billed_images,
    echoes,
    is_word,
    media_urls,
    record_of,
    redirect,
    unkeyed,
)
from testcard.core.wire import curl, hidden_query, request_headers, request_url, sent_body

_MEDIA_PAUSES_S = (0.25, 0.5)
"""A store of pictures that is busy is asked again, at most twice."""


class Sink(Protocol):
    """Where records go: a RunWriter, or a list in tests."""

    def add(self, line: Record, /) -> None: ...


class Sender:
    """Sends requests to one target. Thread-safe.

    Args:
        judge: what to say about each answer; pure.
        sink: where the record of each exchange goes.
        started: the run's zero on `time.monotonic()`.
        first_number: of the first record.
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
        first_number: int = 1,
    ) -> None:
        self._target = target
        self._keyring = keyring
        self._judge = judge
        self._sink = sink
        self._redactor = redactor
        self._headers = header_values(target)
        self._keys = Redactor(key for key in keyring.values if not is_word(key))
        self._started = time.monotonic() if started is None else started
        self._numbers = itertools.count(first_number)
        self._lock = threading.Lock()
        network = Network()
        self._client = Client(target, redactor, self._started, network)
        self._media_client = Client(target, redactor, self._started, network)
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
            if request.key == "main" and request.credentialed:
                self.pacer.wait()
            exchange = self._exchange(request, attempt)
            billed = billed_images(exchange)
        finally:
            self.budget.settle(request.images, billed)
        judgement = self._judge(exchange)
        self._sink.add(self._record(exchange, judgement, billed))
        return exchange

    def fetch_again(self, fetch: Exchange, look: Callable[[Exchange], Judgement]) -> Exchange:
        """Fetch a picture once more, and record that as the fetch that it is: not a request to the API.

        Args:
            look: what to say about it; pure.
        """
        again = self._fetch(fetch.url, fetch)
        with self._lock:
            again = replace(again, number=next(self._numbers))
        record = record_of(
            again,
            look(again),
            redactor=self._redactor,
            phase="check",
            billed=0,
            reproduce=None,
            picture_of=fetch.number,
        )
        self._sink.add(record)
        return again

    def close(self) -> None:
        self._client.close()
        self._media_client.close()

    def _exchange(self, request: Request, attempt: int) -> Exchange:
        with self._lock:
            number = next(self._numbers)
            self.requests += 1
        own = {name.lower(): value for name, value in request.headers}
        request_id = own.get("x-request-id") or str(uuid.uuid4())
        key = self._keyring.get(request.key) if request.key and self._target.auth == "bearer" else None
        headers = request_headers({} if request.in_the_clear else self._headers, request, key, request_id)
        url = request_url(self._target, request)
        query = hidden_query(request, key)
        keys = self._keys
        if key and not request.credentialed:
            keys = Redactor((*self._keyring.values, PRESENTATIONS[request.presented].value(key)))
        planned = time.monotonic() - self._started
        reply = self._client.ask(request.method, url, headers, sent_body(request, key), query=query)
        exchange = Exchange(
            request=request,
            number=number,
            url=self._redactor.text(url + query),
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
            bare_lf=reply.bare_lf,
            secrets_seen=echoes(reply.response, keys) if reply.response else (),
        )
        urls = media_urls(exchange.response) if exchange.succeeded else ()
        exchange = replace(exchange, media=tuple(self._fetch(url, exchange) for url in urls)) if urls else exchange
        return unkeyed(exchange, self._redactor)

    def _fetch(self, url: str, parent: Exchange) -> Exchange:
        """Fetch a picture, without any key, from a host that may be asked."""
        request = Request(case=f"picture of record {parent.number}", method="GET", path=url, key=None)
        now = time.monotonic() - self._started
        reply, seen = self._follow(url)
        for pause in _MEDIA_PAUSES_S:
            busy = reply.response is not None and reply.response.status in (429, 503)
            if not busy and (reply.failure is None or reply.failure.kind != "closed"):
                break
            time.sleep(pause)
            reply, seen = self._follow(url)
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
            secrets_seen=tuple(dict.fromkeys(seen)),
        )

    def _follow(self, url: str) -> tuple[Reply, list[str]]:
        """What stands at a picture's URL, or where that leads, and where on the way a key stands; each host is one
        that may be asked.
        """
        reply = self._get(url)
        seen = self._in_head(reply)
        for _ in range(MOST_REDIRECTS):
            there = redirect(url, reply.response)
            if there is None:
                break
            url = there
            reply = self._get(url)
            seen += self._in_head(reply)
        return reply, seen

    def _in_head(self, reply: Reply) -> list[str]:
        return list(echoes(replace(reply.response, body=b""), self._keys)) if reply.response is not None else []

    def _get(self, url: str) -> Reply:
        checked = addresses(url, self._target)
        if isinstance(checked, str):
            now = time.monotonic() - self._started
            return Reply(now, utc_now(), None, None, None, Failure("not-fetched", checked))
        with self._lock:
            self.media_fetches += 1
        headers = [("Accept", "image/*"), ("Accept-Encoding", "identity"), ("User-Agent", "testcard")]
        return self._media_client.ask("GET", url, headers, None, checked)

    def _record(self, exchange: Exchange, judgement: Judgement, billed: int) -> Record:
        return record_of(
            exchange,
            judgement,
            redactor=self._redactor,
            phase="check",
            billed=billed,
            reproduce=curl(exchange.request, self._target, self._keyring),
        )
