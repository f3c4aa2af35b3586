"""A check that runs: asks each request once, repeats what may be transient, and keeps the tally.

Requirements are asked for side by side, each by one worker; the same request is sent once, whoever needs it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Protocol

from testcard import schemas
from testcard.conformance.across import Across
from testcard.conformance.case import Asker, Cases
from testcard.conformance.company import Company
from testcard.conformance.conclude import Tally
from testcard.conformance.contract import Contract
from testcard.conformance.crew import Crew
from testcard.conformance.judge import judge
from testcard.conformance.judge.evidence import attempts, transient
from testcard.conformance.keep import EvidenceFolder
from testcard.conformance.options import CheckOptions
from testcard.conformance.retryafter import BadRetryAfter, retry_after_s
from testcard.conformance.sdk.sample import Samples
from testcard.core import outcome
from testcard.core.budget import Budget
from testcard.core.errors import NotJudged, TestcardError
from testcard.core.exchange import Exchange, Request
from testcard.core.judgement import Judgement
from testcard.core.record import Finding, Record
from testcard.core.redact import Redactor
from testcard.core.runfile import Skip
from testcard.core.send import Sender
from testcard.core.target import ROLES, Keyring, Target, header_secrets

_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 60.0
_CAPACITY = (429, 503)
"""What a server answers that has no room."""
_DEAD_AFTER = 4
_MOST_FIRST = 3 * 3 + 2 * 5
"""How many records the probes can make: three good requests and two others, each with its repetitions."""


class Log(Protocol):
    """Where a check's lines go: a RunWriter, or nothing."""

    def add(self, line: Record | Finding | Skip, /) -> None: ...


class Session:
    """One check of one target."""

    def __init__(
        self,
        target: Target,
        keyring: Keyring,
        options: CheckOptions,
        *,
        log: Log | None = None,
        budget: Budget | None = None,
        started: float | None = None,
        on_record: Callable[[Record], None] | None = None,
        evidence: Path | None = None,
    ) -> None:
        self.contract = Contract.of(target)
        self.options = options
        self.asker = Asker(self.contract, options.seed, thorough=options.thorough, roles=filter(keyring.get, ROLES))
        self.tally = Tally(strict=options.strict, known=target.known_failures, dialect=target.dialect)
        self.redactor = Redactor((*keyring.secrets, *header_secrets(target)))
        self.keyring = keyring
        self._log = log
        self._on_record = on_record
        self._folder = EvidenceFolder(evidence, self.redactor) if evidence is not None else None
        self._across = Across()
        self.samples = Samples()
        self._lock = threading.Lock()
        self._answers: dict[tuple[object, ...], Future[Exchange]] = {}
        self.crew = Crew()
        self._company = Company(lambda: self.crew.left)
        self.first: list[Record] = []
        """The records of the opening: the probes, each with its repetitions."""
        self._dead = 0
        self._unfetched = False
        self.planned = 0
        """Requests that will be sent if nothing has to be repeated, as far as it is known."""
        self.fatal: TestcardError | None = None
        """Why the rest of the check was not asked for."""
        self.sender = Sender(
            target,
            keyring,
            judge=self._judge,
            sink=self,
            budget=budget or Budget(price_usd=target.price_usd_per_image),
            redactor=self.redactor,
            started=started,
        )

    # The sink of the sender: every record passes here.

    def add(self, record: Record) -> None:
        with self._lock:
            if len(self.first) < _MOST_FIRST:
                self.first.append(record)
            lines: list[Record | Finding] = [record, *self._across.add(record)]
            for line in lines:
                self.tally.add(line)
                if self._log is not None:
                    self._log.add(line)
        if self._on_record is not None:
            self._on_record(record)

    def find(self, line: Finding | Skip) -> None:
        """Take a judgement about several answers, or the reason why there is none."""
        with self._lock:
            self.tally.add(line)
            if self._log is not None:
                self._log.add(line)

    def _judge(self, exchange: Exchange) -> Judgement:
        judgement = judge(exchange, self.contract)
        self.samples.add(exchange)
        if judgement.broken and self._folder is not None:
            self._folder.keep(exchange, {finding.requirement for finding in judgement.broken})
        self._say_unfetched(exchange)
        with self._lock:
            alike = list(self._across.alike(exchange.number, str(exchange.request.fields.get("prompt")), judgement))
        for finding in alike:
            self.find(finding)
        return judgement

    def _say_unfetched(self, exchange: Exchange) -> None:
        """Say once why a picture was not asked for: that leaves a requirement unjudged, not broken."""
        for fetch in exchange.media:
            if fetch.failure is not None and fetch.failure.kind == "not-fetched" and not self._unfetched:
                self._unfetched = True
                reason = f"a picture was not asked for: {fetch.failure.message} (record {exchange.number})"
                self.find(Skip("media.fetch", outcome.NOT_JUDGED, reason))

    # Asking.

    def prepare(self, wanted: Sequence[tuple[str, Cases]]) -> None:
        """Begin to ask for requirements side by side: what should cost nothing first, then what is billed."""
        planned = [(name, list(cases(self.asker))) for name, cases in wanted]
        self.planned = self.sender.requests + len({r.identity for _, requests in planned for r in requests})
        planned.sort(key=lambda row: sum(request.images for request in row[1]))
        self.crew.side_by_side({name: partial(self.ask_family, name, requests) for name, requests in planned})

    def background(self, name: str, work: Callable[[], None], *, after: Sequence[str] = ()) -> None:
        """Do something beside everything else, or after some of it; `crew.wait_for(name)` returns when it is done."""

        def run() -> None:
            for earlier in after:
                self.crew.wait_for(earlier)
            try:
                if self.fatal is None and not self.closed:
                    work()
            except TestcardError as error:
                self.fatal = self.fatal or error

        self.crew.begin(name, run)

    def ask_family(self, name: str, requests: list[Request]) -> None:
        """Ask one after the other; a family stops at its first broken promise, lest it cost more."""
        for request in requests:
            if self.fatal is not None or self.closed:
                return
            try:
                exchange = self.send(request)
            except TestcardError as error:
                self.fatal = self.fatal or error
                return
            if not request.credentialed and (exchange.succeeded or (exchange.status or 0) >= 500):
                return
            if request.violations and request.credentialed and (exchange.succeeded or transient(exchange)):
                return
            if request.parts and not exchange.succeeded:
                erred = exchange.status is not None and exchange.status >= 500
                self.ask_family(name, [part for part in request.parts if erred or not part.after_error])
            else:
                self._explain(name, exchange)

    def _explain(self, name: str, exchange: Exchange) -> None:
        """Say why a good request that met nothing but errors judges nothing."""
        if exchange.request.violations or exchange.succeeded:
            return
        asked = exchange.request.requirement or name
        concerned = dict.fromkeys((name, asked))
        granted = self.contract.took_for_granted(exchange.request.fields)
        if exchange.status in self.contract.dialect.refusal and granted and not exchange.request.may_refuse:
            reason = f"refused with {exchange.status}, rightly if not offered: declare {', '.join(granted)} in [target]"
            concerned = {row: None for row in concerned if not schemas.requirements()[row].occasion}
        elif transient(exchange):
            reason = f"a good request was answered {exchange.attempt} times with {exchange.status or exchange.failure}"
        else:
            return
        for requirement in concerned:
            self.find(Skip(requirement, outcome.NOT_JUDGED, f"{reason} (record {exchange.number})"))

    def send(self, request: Request) -> Exchange:
        """The answer to a request: from the record where it was asked before, else from the target."""
        with self._lock:
            known = self._answers.get(request.identity)
            future: Future[Exchange] = known or Future()
            if known is None:
                self._answers[request.identity] = future
        if known is None:
            try:
                future.set_result(self._repeat(request))
            except BaseException as error:
                future.set_exception(error)
                raise
        return future.result()

    @property
    def answers(self) -> list[Exchange]:
        """The last answer to each request so far, in the order of sending."""
        with self._lock:
            futures = list(self._answers.values())
        done = [future.result() for future in futures if future.done() and future.exception() is None]
        return sorted(done, key=lambda exchange: exchange.number)

    def _repeat(self, request: Request) -> Exchange:
        """Send, and send again what may be transient, as Retry-After says: as often as `attempts` allows."""
        attempt, crowded = 1, False
        while True:
            exchange = self.send_once(request, attempt, alone=crowded and attempt >= attempts(request))
            if not transient(exchange) or attempt >= attempts(request) or self.closed:
                return exchange
            self.pause(exchange, attempt)
            crowded = exchange.status in _CAPACITY
            attempt += 1

    def alone(self) -> AbstractContextManager[None]:
        """While it lasts, nothing else that is asked through this session is under way."""
        return self._company.alone()

    def send_once(self, request: Request, attempt: int, *, alone: bool = False) -> Exchange:
        """Send it now, whatever was asked before, and repeat nothing.

        Args:
            alone: when nothing else is under way, since it may be the company that a server has no room for.

        Raises:
            NotJudged: the target stopped answering.
        """
        with self.alone() if alone else self._company.among_others():
            exchange = self.sender.send(request, attempt=attempt)
        self._watch(exchange)
        return exchange

    def remember(self, exchange: Exchange) -> None:
        """Take this for the answer to its request, if there is none yet: `send` will give it to whoever asks."""
        future: Future[Exchange] = Future()
        future.set_result(exchange)
        with self._lock:
            self._answers.setdefault(exchange.request.identity, future)

    def _watch(self, exchange: Exchange) -> None:
        if exchange.request.in_the_clear:
            return
        gone = exchange.failure is not None and exchange.failure.kind in ("connect", "timeout", "tls")
        self._dead = self._dead + 1 if gone else 0
        if self._dead >= _DEAD_AFTER:
            raise NotJudged(f"{self.contract.target.base_url} stopped answering: {exchange.failure.message}")  # type: ignore[union-attr]  # gone: there is one

    def pause(self, exchange: Exchange, attempt: int) -> None:
        """Wait as an answer asks to, or a little, before it is asked for again."""
        pause = _PAUSE_S * attempt
        if exchange.response is not None:
            with contextlib.suppress(BadRetryAfter):
                pause = min(max(retry_after_s(exchange.response).seconds, pause), _LONGEST_PAUSE_S)
        deadline = time.monotonic() + pause
        while not self.closed and time.monotonic() < deadline:
            time.sleep(min(0.1, pause))

    @property
    def closed(self) -> bool:
        return self.crew.left

    def unmet(self, requirement: str) -> Skip | None:
        """Why this requirement cannot be judged here, or None."""
        row = schemas.requirements()[requirement]
        unmet = self.contract.unmet(row, self.keyring, burst_allowed=self.options.burst_allowed)
        return Skip(requirement, *unmet) if unmet else None

    def close(self) -> None:
        """Stop asking."""
        self.crew.leave()
        self.sender.close()
