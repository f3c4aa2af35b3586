"""Sends the arrivals of one worker when they are due. Only locustfile.py and what only it imports may import this.

When an arrival's time is come is for loop.py to say. Each gets a greenlet of its own, however many are under way; one
beyond the in-flight cap is dropped, and counted. Answers leave for the judging process as soon as their stamps are
taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Group

from testcard.core.exchange import Exchange, Failure, Request
from testcard.core.mediahost import refusal
from testcard.core.redact import Redactor
from testcard.core.target import Keyring, header_secrets
from testcard.core.transcript import MOST_REDIRECTS, media_urls, redirect
from testcard.load.arena import Arena, Lease
from testcard.load.brief import Brief
from testcard.load.connection import REPLACED, Connections, Replaced, Reply
from testcard.load.handover import Delivery, Planned
from testcard.load.journal import TOGETHER_S, Journal
from testcard.load.loop import LOOPS
from testcard.load.message import Messages
from testcard.load.openfiles import arrivals_at_once
from testcard.load.payload import request_of
from testcard.load.plan import Arrival
from testcard.load.sender import Prepared

_MOST_URL_ANSWER = 256 * 1024  # a longer answer carries its pictures itself
_MOST_BACKLOG = 256 * 1024 * 1024  # beside what is in the arena
_LOOK_S = 0.02
_PICTURE_HEADERS = [("Accept", "image/*"), ("Accept-Encoding", "identity"), ("User-Agent", "testcard")]


@dataclass(frozen=True, slots=True)
class _Ended:
    """An exchange, and where its body lies if that is not in it."""

    exchange: Exchange
    reply: Reply

    @property
    def place(self) -> tuple[Lease, int] | None:
        return None if self.reply.lease is None else (self.reply.lease, self.reply.size_bytes)


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
        arena: takes the bodies of long answers.
        hand_over: takes each finished arrival.
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
        arena: Arena,
        hand_over: Callable[[Delivery], None],
        backlog: Callable[[], int],
        notify: Callable[[str, float, int, str | None], None],
        stopped: Event,
    ) -> None:
        self._brief = brief
        self.plan = brief.plan
        self._target = brief.target
        self._journal = journal
        self._arena = arena
        self._hand_over = hand_over
        self._backlog = backlog
        self._notify = notify
        self.stopped = stopped
        self.cap = min(brief.plan.worker_cap(worker), arrivals_at_once(1 + brief.plan.most_fetches))
        self.arrivals: Sequence[Arrival] = brief.plan.share(worker)
        keyring = Keyring(brief.target)
        redactor = Redactor((*keyring.values, *header_secrets(brief.target)))
        like = Request(case="", body=b"", key=brief.plan.key)
        self._messages = Messages(brief.target, keyring, redactor, like)
        self._connections = Connections(
            most=self.cap * max(1, brief.plan.most_fetches),
            timeout_s=brief.target.timeout_s,
            ca_file=brief.target.ca_file,
            arena=arena,
        )
        self._flushing = gevent.get_hub().loop.timer(TOGETHER_S)
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

    @property
    def in_flight(self) -> int:
        """Arrivals under way, their pictures included."""
        return len(self._under_way)

    def prepare(self, arrival: Arrival, due: float) -> Prepared:
        """All of a request that can be made before its time, an absolute one."""
        request = request_of(self.plan, arrival)
        number = self._brief.first_number + arrival.index
        return Prepared(
            arrival, request, number, *self._messages.next(request.body or b""), planned_s=self._since_start(due)
        )

    def send(self, prepared: Prepared) -> gevent.Greenlet | None:
        """Send a request now; returns who waits for its answer, or None where it was dropped."""
        if len(self._under_way) >= self.cap or self._backlog() > _MOST_BACKLOG:
            self.counts.dropped += 1
            self._note(b'{"dropped":%d}' % prepared.arrival.index)
            return None
        return self._under_way.spawn(self._serve, prepared)

    def _serve(self, asked: Prepared) -> Exchange:
        """One arrival, from its request to its last picture; returns what came of it."""
        at, request = _utc_now(), asked.request
        self.counts.sent += 1
        self._note(b'{"sent":%d,"s":%.6f}' % (asked.arrival.index, self._since_start(time.monotonic())))
        url = self._target.base_url + request.path
        reply = self._connections.exchange(request.method, url, asked.message)
        fetched, replaced = self._fetch_all(_picture_urls(reply), asked)
        exchange = Exchange(
            request=request,
            number=asked.number,
            url=url,
            request_id=asked.request_id,
            sent_headers=asked.sent_headers,
            at=at,
            planned_s=asked.planned_s,
            media=tuple(ended.exchange for ended in fetched),
            received_at=time.time(),
            **self._came(replace(reply, failure=REPLACED) if replaced else reply),
        )
        self.counts.answered += exchange.failure is not REPLACED
        ended = (_Ended(exchange, reply), *fetched)
        size = sum(part.reply.size_bytes for part in ended)
        self._hand_over(Delivery(Planned.of(asked.arrival), exchange, tuple(part.place for part in ended)))
        failed = exchange.failure.kind if exchange.failure else None
        if failed is None and not exchange.succeeded:
            failed = f"HTTP {exchange.status}"
        self._notify(request.path, (reply.last_byte or time.monotonic()) - reply.sent, size, failed)
        return exchange

    def _fetch_all(self, urls: Sequence[str], asked: Prepared) -> tuple[list[_Ended], bool]:
        """The pictures, fetched side by side, and whether nobody wants them any more; then there are none."""
        if not urls:
            return [], False
        jobs = [gevent.spawn(self._fetch, url, asked) for url in urls]
        try:
            gevent.joinall(jobs, raise_error=True)
        except Replaced:
            gevent.killall(jobs, Replaced)
            for job in jobs:
                if isinstance(job.value, _Ended) and job.value.reply.lease is not None:
                    self._arena.give_back(job.value.reply.lease)
            return [], True
        return [job.value for job in jobs], False

    def _fetch(self, url: str, parent: Prepared) -> _Ended:
        """Fetch a picture as its user would: without any key, from a host that may be asked."""
        at, planned_s, named = _utc_now(), self._since_start(time.monotonic()), url
        reply = self._get(url)
        for _ in range(MOST_REDIRECTS):
            there = redirect(url, reply.response)
            if there is None:
                break
            if reply.lease is not None:
                self._arena.give_back(reply.lease)
            url = there
            reply = self._get(url)
        exchange = Exchange(
            request=Request(case=f"picture of record {parent.number}", method="GET", path=named, key=None),
            number=parent.number,
            url=named,
            request_id=parent.request_id,
            sent_headers=(),
            at=at,
            planned_s=planned_s,
            received_at=time.time(),
            **self._came(reply),
        )
        return _Ended(exchange, reply)

    def _get(self, url: str) -> Reply:
        reason = refusal(url, self._target)
        if reason is not None:
            return Reply(time.monotonic(), failure=Failure("not-fetched", reason))
        return self._connections.ask("GET", url, _PICTURE_HEADERS)

    def _came(self, reply: Reply) -> dict[str, Any]:
        """What an exchange says of its reply."""
        return {
            "sent_s": self._since_start(reply.sent),
            "first_byte_s": None if reply.first_byte is None else self._since_start(reply.first_byte),
            "last_byte_s": None if reply.last_byte is None else self._since_start(reply.last_byte),
            "response": reply.response,
            "failure": reply.failure,
        }

    def _note(self, line: bytes) -> None:
        if self._journal.note(line):
            self._flushing.start(self._journal.flush)

    def _since_start(self, moment: float) -> float:
        return round(moment - self._brief.started, 6)


def _picture_urls(reply: Reply) -> tuple[str, ...]:
    """The pictures that an answer names by URL."""
    response = reply.response
    if response is None or reply.failure or not 200 <= response.status < 300 or reply.size_bytes > _MOST_URL_ANSWER:
        return ()
    if b'"url"' not in response.body and b"\\u" not in response.body:  # nor spelt in another way: not worth parsing
        return ()
    return media_urls(response)


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
