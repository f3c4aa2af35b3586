"""Drives one key over its limit: the identification's own probes first, then waits that are kept as promised.

Every request goes through the one Sender, is judged and recorded like any other; what a wave is for stands in the
`stage` of its records, and when it was due in `planned_s`, so that everything can be concluded from the file again.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from testcard.conformance import case
from testcard.conformance.case import Asker
from testcard.conformance.contract import Contract
from testcard.conformance.judge import judge
from testcard.conformance.retryafter import BadRetryAfter, retry_after_s
from testcard.core.budget import Budget
from testcard.core.errors import NotJudged
from testcard.core.exchange import Exchange, Request
from testcard.core.judgement import Judgement
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.runfile import RunWriter
from testcard.core.send import Sender
from testcard.core.target import ROLES, Keyring, Target
from testcard.load.classify import classify
from testcard.load.collect import Progress
from testcard.load.limitlab.findings import findings
from testcard.load.limitlab.plan import IDENTIFY, KEEP, SCOPE, WAITS, LimitPlan
from testcard.load.plan import MEASURED, LoadPlan
from testcard.load.ratelimit import Bounds, Fitted, Identification, Observation

_AT_ONCE = 64
_ENOUGH = 2.5
"""Times the declared limit: when as many refused bodies passed, they do not count."""
_JUST_AFTER_S = 1.0
"""How long after its end a wait is tested: the header speaks in whole seconds."""
_HALF_FROM_S = 2.0
_DEAF = 3
"""Waves without any answer to learn from, after which it ends."""


class Laboratory:
    """One investigation while it goes on."""

    def __init__(
        self,
        plan: LoadPlan,
        limit: LimitPlan,
        target: Target,
        keyring: Keyring,
        *,
        writer: RunWriter,
        redactor: Redactor,
        budget: Budget,
        started: float,
        first_number: int = 1,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._plan, self._limit, self._keyring = plan, limit, keyring
        self._contract = Contract.of(target)
        self._asker = Asker(self._contract, plan.seed, roles=filter(keyring.get, ROLES))
        self._writer, self._on_progress, self._started = writer, on_progress, started
        self._progress = Progress(planned=plan.count)
        self._lock = threading.Lock()
        self._outcomes: dict[int, str] = {}
        self._stage, self._due = IDENTIFY, 0.0
        self._asked = 0
        self._billable = False
        self._scoped = False
        self._seen: list[Record] = []
        self._fitted: Fitted | None = None
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="limit")
        self._sender = Sender(
            target,
            keyring,
            judge=self._judge,
            sink=self,
            budget=budget,
            redactor=redactor,
            started=started,
            first_number=first_number,
        )

    def run(self) -> None:
        """Investigate, within the plan's bounds.

        Raises:
            NotJudged: the key opens nothing, or nothing answers.
            BudgetExhausted: the images are used up; what was seen is recorded.
        """
        try:
            identification = self._identify()
            self._fitted = identification.verdict()
            self._keep_waits(identification)
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._sender.close()
            for finding in findings(self._seen, self._limit, self._fitted):
                self._writer.add(finding)

    # The sink of the sender: every record passes here.

    def add(self, record: Record) -> None:
        with self._lock:
            record = replace(
                record,
                phase=MEASURED,
                stage=self._stage,
                planned_s=self._due,
                outcome=self._outcomes.pop(record.number, "broken"),
            )
            self._writer.add(record)
            self._seen.append(record)
            self._progress = replace(
                self._progress,
                done=self._progress.done + 1,
                valid=self._progress.valid + (record.outcome == "valid"),
                limited=self._progress.limited + (record.outcome == "limited"),
                failed=self._progress.failed + (record.outcome not in ("valid", "limited", "refused")),
            )
            progress = self._progress
        if self._on_progress is not None:
            self._on_progress(progress)

    def _judge(self, exchange: Exchange) -> Judgement:
        judgement = judge(exchange, self._contract)
        with self._lock:
            self._outcomes[exchange.number] = classify(exchange, judgement)
        return judgement

    # What it does, in this order.

    def _identify(self) -> Identification:
        first = self._wave(IDENTIFY, 1, self._now(), billable=True)
        self._require_open(first[0])
        identification, free, deaf = self._identification(first), 0, 0
        while (probe := identification.next(self._now())) is not None and deaf < _DEAF:
            answers = self._wave(IDENTIFY, probe.count, probe.at_s, billable=self._billable)
            found = observations(answers)
            deaf = 0 if found else deaf + 1
            identification.add(found) if found else None
            free += 0 if self._billable else len(found)
            if any(not one.admitted for one in found):
                self._look_at_second_key()
            elif not self._billable and free >= _ENOUGH * self._limit.requests and not self._refused():
                self._billable = True
                time.sleep(self._limit.window_s)  # should they count after all, they are forgotten by then
                identification = self._identification(first)
        return identification

    def _identification(self, first: Sequence[Exchange]) -> Identification:
        bounds = Bounds(self._limit.most_requests, self._limit.most_s)
        identification = Identification(self._limit.limit, bounds, seed=self._plan.seed)
        identification.next(self._now())
        if found := observations(first):
            identification.add(found)
        return identification

    def _keep_waits(self, identification: Identification) -> None:
        """Use the limit up, wait as the refusal says, ask a second later; the second time also half way."""
        if not self._refused():
            return
        fitted = identification.verdict()
        part = fitted.burst or fitted.limit
        room = self._limit.requests if part is None else math.ceil(part.value)
        size = max(1, min(room, 2 * self._limit.requests)) + 1
        for number in range(WAITS):
            refused = self._use_up(size)
            wait = promised_s(refused) if refused is not None else None
            if refused is None or refused.last_byte_s is None or wait is None:
                return
            if not 0 < wait <= 2 * self._limit.window_s + 5:
                return
            if number and wait >= _HALF_FROM_S:
                self._wave(KEEP, 1, refused.last_byte_s + wait / 2, billable=self._billable)
            self._wave(KEEP, 1, refused.last_byte_s + wait + _JUST_AFTER_S, billable=self._billable)

    def _use_up(self, size: int) -> Exchange | None:
        """The last refusal of as many requests as it takes; None where none comes."""
        for count in (size, 2):
            answers = self._wave(KEEP, count, self._now(), billable=self._billable)
            refused = [one for one in answers if one.status == 429]
            if refused:
                return max(refused, key=lambda one: one.last_byte_s or 0.0)
        return None

    def _look_at_second_key(self) -> None:
        if not self._scoped and self._keyring.get("second") is not None:
            self._scoped = True
            self._wave(SCOPE, 1, self._now(), key="second", billable=False)

    def _wave(self, stage: str, count: int, due_s: float, *, key: str | None = None, billable: bool) -> list[Exchange]:
        """Send requests together, at their time; returns when all are answered."""
        pause = due_s - self._now()
        if pause > 0:
            time.sleep(pause)
        with self._lock:
            self._stage, self._due = stage, round(max(due_s, self._now()), 6)
        requests = [self._request(key or self._limit.key, billable=billable) for _ in range(count)]
        return list(self._pool.map(self._sender.send, requests))

    def _request(self, key: str, *, billable: bool) -> Request:
        self._asked += 1
        return (case.billable if billable else case.refusable)(self._asker, key, self._asked)

    def _refused(self) -> bool:
        with self._lock:
            return any(record.stage == IDENTIFY and record.outcome == "limited" for record in self._seen)

    def _require_open(self, first: Exchange) -> None:
        if first.response is None:
            raise NotJudged(f"{self._limit.key} key: the first request was not answered: {first.failure}")
        if first.response.status in (401, 402, 403, 404):
            raise NotJudged(
                f"the {self._limit.key} key was answered {first.response.status}: it opens nothing, so its limit "
                f"cannot be seen; check {self._keyring.variable(self._limit.key)}"
            )

    def _now(self) -> float:
        return time.monotonic() - self._started


def observations(answers: Sequence[Exchange]) -> list[Observation]:
    """What a limiter let us see; an answer that tells nothing of it, a failed connection say, is left out."""
    return [
        Observation(one.sent_s, one.last_byte_s, one.status != 429, promised_s(one))
        for one in answers
        if one.last_byte_s is not None
        and one.status is not None
        and (one.status < 500 and one.status not in (401, 403))
    ]


def promised_s(exchange: Exchange) -> float | None:
    """The wait that a refusal asks for, if it can be read."""
    if exchange.status != 429 or exchange.response is None:
        return None
    try:
        return retry_after_s(exchange.response).seconds
    except BadRetryAfter:
        return None
