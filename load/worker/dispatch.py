"""Sends the arrivals of one worker when they are due.

When an arrival's time is come is for loop.py to say. Nothing stands waiting for an answer: what is to be done with one
is done when it is there (connection.py). An arrival beyond the in-flight cap is dropped, and counted. Answers leave for
the judging process as soon as their stamps are taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
from gevent.event import Event

from testcard.core.exchange import Request
from testcard.core.redact import Redactor
from testcard.core.target import Keyring, header_secrets
from testcard.load.arena import Arena
from testcard.load.brief import Brief
from testcard.load.handover import Delivery, Planned
from testcard.load.journal import Journal
from testcard.load.message import Messages
from testcard.load.payload import body_of
from testcard.load.plan import Arrival
from testcard.load.reply import Fetched, Reply
from testcard.load.worker.connection import REPLACED, Asking, Connections
from testcard.load.worker.fetch import Fetching, picture_urls
from testcard.load.worker.loop import LOOPS
from testcard.load.worker.openfiles import arrivals_at_once
from testcard.load.worker.sender import Prepared

_MOST_BACKLOG = 256 * 1024 * 1024  # beside what is in the arena
_LOOK_S = 0.02


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
        stopped: Event,
    ) -> None:
        self._brief = brief
        self.plan = brief.plan
        self._target = brief.target
        self._started = brief.started
        self._journal = journal
        self._arena = arena
        self._hand_over = hand_over
        self._backlog = backlog
        self.stopped = stopped
        self.cap = min(brief.plan.worker_cap(worker), arrivals_at_once(1 + brief.plan.most_fetches))
        self.arrivals: Sequence[Arrival] = brief.plan.share(worker)
        keyring = Keyring(brief.target)
        redactor = Redactor((*keyring.values, *header_secrets(brief.target)))
        like = Request(case="", body=b"", key=brief.plan.key)
        self._messages = Messages(brief.target, keyring, redactor, like)
        self._connections = Connections(timeout_s=brief.target.timeout_s, ca_file=brief.target.ca_file, arena=arena)
        self._url = brief.target.base_url + like.path
        self.in_flight = 0
        """Arrivals under way, their pictures included."""
        self._in_flight_s = 0.0
        self._changed = 0.0
        self._sent: list[tuple[int, float]] = []
        self._dropped: list[int] = []
        self.counts = Counts(planned=len(self.arrivals))

    def work(self, start: float) -> None:
        """Send every arrival at its time and wait for all answers, or until stopped.

        Args:
            start: when the load begins, absolute, on the monotonic clock.
        """
        LOOPS[self.plan.loop](self, start)
        while self.in_flight and not self.stopped.wait(_LOOK_S):
            pass

    def in_flight_s(self, now: float) -> float:
        """The sum of all times under way until now."""
        return self._in_flight_s + self.in_flight * (now - self._changed)

    def prepare(self, arrival: Arrival, due: float) -> Prepared:
        """All of a request that can be made before its time, an absolute one."""
        body = body_of(self.plan, arrival)
        return Prepared(arrival, due, *self._messages.next(body), body)

    def send(self, prepared: Prepared) -> _Serving | None:
        """Send a request now; returns what is under way, or None where it was dropped."""
        index = prepared.arrival.index
        if self.in_flight >= self.cap or self._backlog() > _MOST_BACKLOG:
            self.counts.dropped += 1
            self._dropped.append(index)
            return None
        serving = _Serving(self, prepared)
        self.count(1)
        serving.asking = asking = self._connections.exchange(self._url, prepared.message, serving.answered)
        self.counts.sent += 1
        self._sent.append((index, round(asking.sent - self._started, 6)))
        return serving

    def note(self) -> None:
        """Note in the journal what was sent and dropped since the last time."""
        if self._sent or self._dropped:
            self._journal.note(orjson.dumps({"sent": self._sent, "dropped": self._dropped}))
            self._sent, self._dropped = [], []

    def count(self, more: int) -> None:
        """So many more are under way from now on."""
        now = time.monotonic()
        self._in_flight_s += self.in_flight * (now - self._changed)
        self._changed = now
        self.in_flight += more

    def fetch(self, urls: Sequence[str], done: Callable[[list[Fetched] | None], None]) -> Fetching:
        """Fetch the pictures of an answer."""
        return Fetching(urls, self._target, self._connections, self._arena, done)

    def finish(self, asked: Prepared, began_at: float, reply: Reply, fetched: Sequence[Fetched]) -> None:
        """Account for an arrival, and hand it over."""
        arrival = asked.arrival
        self._hand_over(
            Delivery(
                arrival.index, Planned.of(arrival), asked.due, began_at, time.time(), asked.request_id, asked.body,
                reply, tuple(fetched),
            )
        )  # fmt: skip
        self.counts.answered += reply.failure is not REPLACED
        self.count(-1)


class _Serving:
    """An arrival that was sent."""

    __slots__ = ("_asked", "_began_at", "_dispatcher", "_fetching", "_over", "_reply", "asking", "value")

    def __init__(self, dispatcher: Dispatcher, asked: Prepared) -> None:
        self._began_at = time.time()
        self.asking: Asking | None = None
        self.value: Reply | None = None
        self._dispatcher = dispatcher
        self._asked = asked
        self._reply: Reply | None = None
        self._fetching: Fetching | None = None
        self._over: Event | None = None

    def join(self) -> None:
        """Wait for its end."""
        if self.value is None:
            self._over = Event()
            self._over.wait()

    def cancel(self) -> None:
        """End it, where it has not ended."""
        if self._fetching is not None:
            self._fetching.cancel()
        elif self.asking is not None:
            self.asking.cancel()

    def answered(self, reply: Reply) -> None:
        """The answer is there, its pictures perhaps not."""
        urls = picture_urls(reply)
        if not urls:
            self._finish(reply, ())
            return
        self._reply = reply
        self._fetching = self._dispatcher.fetch(urls, self._fetched)

    def _fetched(self, found: list[Fetched] | None) -> None:
        if self._reply is not None:
            self._finish(self._reply._replace(failure=REPLACED) if found is None else self._reply, found or ())

    def _finish(self, reply: Reply, fetched: Sequence[Fetched]) -> None:
        self._dispatcher.finish(self._asked, self._began_at, reply, fetched)
        self.value = reply
        self.asking = self._reply = self._fetching = None  # nobody keeps what was handed over
        if self._over is not None:
            self._over.set()
