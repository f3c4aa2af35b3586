"""Sends the arrivals of one worker when they are due. Only locustfile.py and what only it imports may import this.

When an arrival's time is come is for loop.py to say. Each gets a greenlet of its own, however many are under way; one
beyond the in-flight cap is dropped, and counted. Answers leave for the judging process as soon as their stamps are
taken.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import gevent
from gevent.event import Event
from gevent.pool import Group

from testcard.core.exchange import Exchange, Failure, Request, Response
from testcard.core.mediahost import refusal
from testcard.core.redact import Redactor
from testcard.core.target import Keyring, header_secrets, header_values
from testcard.core.transcript import MOST_REDIRECTS, media_urls, redirect
from testcard.core.wire import request_headers
from testcard.load.brief import Brief
from testcard.load.connection import REPLACED, Connections, Replaced, Reply
from testcard.load.journal import Journal
from testcard.load.loop import LOOPS, Prepared
from testcard.load.payload import request_of
from testcard.load.plan import Arrival

_MOST_URL_ANSWER = 256 * 1024  # a longer answer carries its pictures itself
_MOST_BACKLOG = 512 * 1024 * 1024
_LOOK_S = 0.02
_PICTURE_HEADERS = [("Accept", "image/*"), ("Accept-Encoding", "identity"), ("User-Agent", "testcard")]


@dataclass(slots=True)
class Counts:
    """What became of a worker's arrivals."""

    planned: int = 0
    sent: int = 0
    dropped: int = 0
    answered: int = 0


class Dispatcher:
    """One worker's part of the load.

    Args:
        hand_over: takes each finished exchange with its arrival and its size in bytes.
        backlog: bytes handed over and not yet taken.
        notify: told of each finished arrival: name, seconds, bytes, what failed.
        stopped: set when the run is to end now.
    """

    def __init__(
        self,
        brief: Brief,
        worker: int,
        journal: Journal,
        *,
        hand_over: Callable[[Arrival, Exchange, int], None],
        backlog: Callable[[], int],
        notify: Callable[[str, float, int, str | None], None],
        stopped: Event,
    ) -> None:
        self._brief = brief
        self.plan = brief.plan
        self._target = brief.target
        self._journal = journal
        self._hand_over = hand_over
        self._backlog = backlog
        self._notify = notify
        self.stopped = stopped
        self._cap = brief.plan.worker_cap(worker)
        self.arrivals: Sequence[Arrival] = brief.plan.share(worker)
        keyring = Keyring(brief.target)
        self._key = keyring.get("main") if brief.target.auth == "bearer" else None
        self._headers = header_values(brief.target)
        self._redactor = Redactor((*keyring.values, *header_secrets(brief.target)))
        self._connections = Connections(
            most=self._cap * brief.plan.most_n, timeout_s=brief.target.timeout_s, ca_file=brief.target.ca_file
        )
        self._under_way = Group()
        self.counts = Counts(planned=len(self.arrivals))

    def work(self, start: float) -> None:
        """Send every arrival at its time and wait for all answers, or until stopped.

        Args:
            start: when the load begins, absolute, on the monotonic clock.
        """
        LOOPS[self.plan.loop](self, start)
        while len(self._under_way) and not self.stopped.wait(_LOOK_S):
            pass

    def prepare(self, arrival: Arrival, due: float) -> Prepared:
        """All of a request that can be made before its time, an absolute one."""
        request = request_of(self.plan, arrival)
        request_id = str(uuid.uuid4())
        headers = request_headers(self._headers, request, self._key, request_id)
        exchange = Exchange(
            request=request,
            number=self._brief.first_number + arrival.index,
            url=self._target.base_url + request.path,
            request_id=request_id,
            sent_headers=self._redactor.headers(headers),
            at="",
            planned_s=self._since_start(due),
            sent_s=0.0,
        )
        return Prepared(arrival, exchange, headers)

    def send(self, prepared: Prepared) -> gevent.Greenlet | None:
        """Send a request now; returns who waits for its answer, or None where it was dropped."""
        if len(self._under_way) >= self._cap or self._backlog() > _MOST_BACKLOG:
            self.counts.dropped += 1
            self._journal.write({"dropped": prepared.arrival.index})
            return None
        return self._under_way.spawn(self._serve, prepared.arrival, prepared.asked, prepared.headers)

    def _serve(self, arrival: Arrival, asked: Exchange, headers: list[tuple[str, str]]) -> None:
        """One arrival, from its request to its last picture."""
        asked = replace(asked, at=_utc_now())
        self.counts.sent += 1
        self._journal.write({"sent": arrival.index, "at": asked.at, "s": self._since_start(time.monotonic())})
        request = asked.request
        reply = self._connections.ask(request.method, asked.url, headers, request.body)
        exchange = self._exchange(asked, reply)
        jobs = [gevent.spawn(self._fetch, picture, exchange) for picture in _picture_urls(exchange)]
        if jobs:
            try:
                gevent.joinall(jobs, raise_error=True)
                exchange = replace(exchange, media=tuple(job.value for job in jobs))
            except Replaced:
                gevent.killall(jobs, Replaced)
                exchange = replace(exchange, failure=REPLACED)
        self.counts.answered += exchange.failure is not REPLACED
        size = sum(len(part.response.body) for part in (exchange, *exchange.media) if part.response)
        self._hand_over(arrival, exchange, size)
        failed = exchange.failure.kind if exchange.failure else None
        if failed is None and not exchange.succeeded:
            failed = f"HTTP {exchange.status}"
        self._notify(request.path, (reply.last_byte or time.monotonic()) - reply.sent, size, failed)

    def _fetch(self, url: str, parent: Exchange) -> Exchange:
        """Fetch a picture as its user would: without any key, from a host that may be asked."""
        asked = Exchange(
            request=Request(case=f"picture of record {parent.number}", method="GET", path=url, key=None),
            number=parent.number,
            url=url,
            request_id=parent.request_id,
            sent_headers=(),
            at=_utc_now(),
            planned_s=self._since_start(time.monotonic()),
            sent_s=0.0,
        )
        reply = self._get(url)
        for _ in range(MOST_REDIRECTS):
            there = redirect(url, reply.response)
            if there is None:
                break
            url = there
            reply = self._get(url)
        return self._exchange(asked, reply)

    def _get(self, url: str) -> Reply:
        reason = refusal(url, self._target)
        if reason is not None:
            return Reply(time.monotonic(), failure=Failure("not-fetched", reason))
        return self._connections.ask("GET", url, _PICTURE_HEADERS, None)

    def _exchange(self, asked: Exchange, reply: Reply) -> Exchange:
        return replace(
            asked,
            sent_s=self._since_start(reply.sent),
            first_byte_s=None if reply.first_byte is None else self._since_start(reply.first_byte),
            last_byte_s=None if reply.last_byte is None else self._since_start(reply.last_byte),
            response=reply.response,
            failure=reply.failure,
            received_at=time.time(),
        )

    def _since_start(self, moment: float) -> float:
        return round(moment - self._brief.started, 6)


def _picture_urls(exchange: Exchange) -> tuple[str, ...]:
    """The pictures that an answer names by URL. Parsed from a copy: what is handed over stays bytes."""
    response = exchange.response
    if response is None or exchange.failure or not exchange.succeeded or len(response.body) > _MOST_URL_ANSWER:
        return ()
    return media_urls(Response(response.status, response.headers, response.body))


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
